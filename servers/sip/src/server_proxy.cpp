// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip_server/server.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip_server {

using sip::HeaderName;
using sip::Message;
using sip::Method;
namespace status = sip::status;

namespace {

// A client that talks to us without another proxy between.
Hop hop_of(const Message& request) {
    const auto vias = request.vias().all();
    return vias && vias->size() == 1 ? Hop::Client : Hop::Server;
}

bool has_to_tag(const Message& request) {
    const auto tag = request.to_tag();
    return tag && *tag;
}

}  // namespace

// RFC 3261 Section 16.3. True where the request was answered.
bool Server::refuse_unsound(Instant now, const Received& received) {
    const Message& request = received.request;
    if (request.max_forwards().value_or(70) == 0) {
        ++counters_.requests_refused;
        reply(now, received, status::TooManyHops);
        return true;
    }
    if (is_looping(request, config_.own)) {
        ++counters_.requests_refused;
        reply(now, received, status::LoopDetected);
        return true;
    }
    if (const std::string unknown = unknown_proxy_requirements(request); !unknown.empty()) {
        ++counters_.requests_refused;
        const std::string tag = layer_.stateless_tag(request);
        sip::MessageBuilder builder =
            sip::make_response(request, status::BadExtension, {.to_tag = tag});
        builder.add(HeaderName::Unsupported, unknown);
        layer_.respond(now, received.transaction, builder.build());
        return true;
    }
    return false;
}

// RFC 3261 Section 11.2, as a user agent server.
void Server::answer_options(Instant now, const Received& received) {
    const std::string tag = layer_.stateless_tag(received.request);
    sip::MessageBuilder builder = sip::make_response(received.request, status::Ok, {.to_tag = tag});
    builder.add(HeaderName::Allow, "REGISTER, OPTIONS, INVITE, ACK, CANCEL, BYE, INFO, MESSAGE")
        .add(HeaderName::Supported, "path, outbound");
    if (!config_.software.empty()) builder.add(HeaderName::Server, config_.software);
    layer_.respond(now, received.transaction, builder.build());
}

void Server::handle_proxy_request(Instant now, Received received) {
    if (refuse_unsound(now, received)) return;
    const auto from = received.request.from();
    STILE_ASSERT(from.has_value());
    const bool proven =
        config_.own.is_own_domain(from->uri) && is_known(received.flow, user_of(from->uri));
    route(now, std::move(received), proven ? Proof::Shown : Proof::Missing);
}

// Only who is of this domain can prove anything here.
void Server::demand_proof(Instant now, Received received) {
    const auto from = received.request.from();
    STILE_ASSERT(from.has_value());
    std::string user = user_of(from->uri);
    const auto flow = flows_.find(received.flow);
    const bool has_certificate = flow != flows_.end() && flow->second.certificate_user;
    if (!config_.own.is_own_domain(from->uri) || user.empty() || has_certificate) {
        // A certificate speaks for its own user alone.
        ++counters_.requests_refused;
        reply(now, received, status::Forbidden, "Relaying Denied");
        return;
    }
    ask_account(now, AwaitsAccount{.purpose = Purpose::Proxy,
                                   .received = std::move(received),
                                   .user = std::move(user)});
}

void Server::authenticate_proxy(Instant now, AwaitsAccount waiting,
                                const std::optional<AccountRecord>& account) {
    const Received& received = waiting.received;
    const auto claimed =
        authenticator_.claimed_user(received.request, HeaderName::ProxyAuthorization);
    AuthVerdict verdict = authenticator_.judge(received.request, HeaderName::ProxyAuthorization,
                                               account, source(received.flow), wall(now));
    // From says who calls: credentials of another user do not prove it.
    if (claimed && *claimed != waiting.user) verdict = AuthVerdict::Failed;
    switch (verdict) {
        case AuthVerdict::Passed:
            note_user(received.flow, waiting.user);
            route(now, std::move(waiting.received), Proof::Shown);
            return;
        case AuthVerdict::Missing:
            challenge(now, received, status::ProxyAuthenticationRequired, account,
                      sip::Staleness::Fresh);
            return;
        case AuthVerdict::Stale:
            challenge(now, received, status::ProxyAuthenticationRequired, account,
                      sip::Staleness::Stale);
            return;
        case AuthVerdict::Failed:
            note_auth_failure(received.flow);
            challenge(now, received, status::ProxyAuthenticationRequired, account,
                      sip::Staleness::Fresh);
            return;
        case AuthVerdict::Forbidden:
            ++counters_.requests_refused;
            reply(now, received, status::Forbidden, "TLS Required");
            return;
    }
}

// RFC 3261 Sections 16.4 and 16.5. Without proof pass: a request within a dialog along a token that
// we signed, and a request from elsewhere to a user of ours.
void Server::route(Instant now, Received received, Proof proof) {
    const Message& original = received.request;
    const auto refuse = [&](sip::Status status, std::string_view reason) {
        ++counters_.requests_refused;
        reply(now, received, status, reason);
    };
    auto prepared = preprocess_route(original, received.flow, route_knowledge());
    const Hop source_hop = hop_of(original);
    const sip::Status flow_gone =
        source_hop == Hop::Client ? status::TemporarilyUnavailable : status::FlowFailed;
    if (!prepared) {
        switch (prepared.error()) {
            case RouteError::Tampered:
                return refuse(status::Forbidden, {});
            case RouteError::FlowGone:
                return refuse(flow_gone, {});
            case RouteError::TooMany:
                return refuse(status::BadRequest, "Too Many Routes");
        }
    }
    const auto target = prepared->request.request_uri();
    if (!target) return refuse(status::BadRequest, "Bad Route");
    const bool stays = !prepared->flow && !prepared->request.contains(HeaderName::Route) &&
                       config_.own.is_own(*target);
    const bool from_us = config_.own.is_own_domain(original.from()->uri);
    const bool passes = proof == Proof::Shown || (prepared->flow && has_to_tag(original)) ||
                        (stays && !from_us) ||
                        (stays && original.method() == Method::Options && user_of(*target).empty());
    if (!passes) {
        demand_proof(now, std::move(received));
        return;
    }
    if (prepared->left && prepared->flow) note_moved(*prepared->left, received.flow);
    std::string loop = loop_value(original);
    received.request = std::move(prepared->request);
    if (stays) {
        route_to_user(now, std::move(received), *target, std::move(loop));
        return;
    }
    const Hop hop = prepared->flow ? Hop::Client : Hop::Server;
    proxy_.forward(now, proxy_context(),
                   {.transaction = received.transaction,
                    .source = received.flow,
                    .source_hop = source_hop,
                    .request = std::move(received.request),
                    .loop = std::move(loop),
                    .groups = {{Target{
                        .uri = target->copy(), .route = {}, .flow = prepared->flow, .hop = hop}}}});
}

void Server::route_to_user(Instant now, Received received, const sip::UriView& target,
                           std::string loop) {
    const std::string user = user_of(target);
    if (user.empty()) {
        if (received.request.method() == Method::Options) return answer_options(now, received);
        ++counters_.requests_refused;
        reply(now, received, status::NotFound);
        return;
    }
    const auto preferences = sip::CallerPreferences::of(received.request);
    if (!preferences) {
        ++counters_.requests_refused;
        reply(now, received, status::BadRequest, "Bad Caller Preferences");
        return;
    }
    if (locations_.find(user, now).empty()) {
        ask_account(now,
                    AwaitsAccount{
                        .purpose = Purpose::Lookup, .received = std::move(received), .user = user});
        return;
    }
    std::vector<TargetGroup> groups = find_targets(now, received, user, *preferences);
    if (groups.empty()) {
        reply(now, received, status::TemporarilyUnavailable);
        return;
    }
    const Hop source_hop = hop_of(received.request);
    proxy_.forward(now, proxy_context(),
                   {.transaction = received.transaction,
                    .source = received.flow,
                    .source_hop = source_hop,
                    .request = std::move(received.request),
                    .loop = std::move(loop),
                    .groups = std::move(groups)});
}

// RFC 3261 Section 16.5, RFC 3841 Section 7.2, RFC 5626 Section 7.
std::vector<TargetGroup> Server::find_targets(Instant now, const Received& received,
                                              std::string_view user,
                                              const sip::CallerPreferences& preferences) {
    std::vector<const Binding*> bindings = locations_.find(user, now);
    // The newest flow of an instance comes first, so that it is the one tried first.
    std::ranges::sort(bindings, std::greater<>{}, &Binding::order);
    const bool to_self = is_known(received.flow, user);
    struct Candidate {
        Target target;
        std::optional<std::string> instance;
    };
    std::vector<Candidate> candidates;
    std::vector<sip::PreferenceTarget> ranked_input;
    for (const Binding* binding : bindings) {
        if (to_self && binding->flow == received.flow) continue;  // not to the caller's own device
        const bool has_flow = binding->flow && layer_.find_flow(*binding->flow);
        // Only its flow leads to a client with outbound; after a restart there is none yet.
        if (!has_flow && binding->reg_id && binding->path.empty()) continue;
        Target target{.uri = binding->contact.uri(),
                      .route = binding->path,
                      .flow = has_flow ? binding->flow : std::nullopt,
                      .hop = has_flow ? Hop::Client : Hop::Server};
        const auto instance =
            binding->reg_id ? binding->contact.instance() : std::optional<std::string>{};
        const auto twin = std::ranges::find_if(candidates, [&](const Candidate& candidate) {
            return instance && candidate.instance == instance;
        });
        if (twin != candidates.end()) {
            twin->target.alternates.push_back(std::move(target));
            continue;
        }
        auto features = sip::FeatureSet::from_parameters(binding->contact.address.parameters);
        ranked_input.push_back({.features = features ? *std::move(features) : sip::FeatureSet{},
                                .q = binding->contact.q().value_or(sip::QValue{})});
        candidates.push_back({.target = std::move(target), .instance = instance});
        if (candidates.size() == most_targets) break;
    }
    const auto ranked = sip::rank_targets(preferences, ranked_input, config_.featureless);
    const auto wishes = sip::RequestDisposition::of(received.request);
    using Disposition = sip::RequestDisposition;
    const bool one_only = wishes && wishes->forking == Disposition::Forking::NoFork;
    const bool one_by_one = wishes && wishes->order == Disposition::Order::Sequential;
    const bool all_at_once = wishes && wishes->order == Disposition::Order::Parallel;
    std::vector<TargetGroup> groups;
    const sip::RankedTarget* previous = nullptr;
    for (const sip::RankedTarget& entry : ranked) {
        const bool same = previous && previous->q == entry.q &&
                          previous->preference >= entry.preference &&
                          previous->preference <= entry.preference;
        if (groups.empty() || one_by_one || (!same && !all_at_once)) groups.emplace_back();
        groups.back().push_back(std::move(candidates[entry.index].target));
        previous = &entry;
        if (one_only) break;
    }
    return groups;
}

// --- ACK and CANCEL ----------------------------------------------------------------------------

void Server::handle_event(Instant now, sip::TransactionLayer::AckReceived event) {
    auto prepared = preprocess_route(event.request, event.flow, route_knowledge());
    if (!prepared || prepared->request.max_forwards().value_or(70) == 0) {
        ++counters_.acks_dropped;
        return;
    }
    if (prepared->flow) {
        proxy_.forward_ack(proxy_context(), prepared->request, *prepared->flow);
        return;
    }
    const auto target = prepared->request.request_uri();
    const auto routes = prepared->request.routes(HeaderName::Route).all();
    const bool leaves = target && routes && (!routes->empty() || !config_.own.is_own(*target));
    // As for other requests of a dialog: a token of ours shows that we routed its INVITE.
    if (!leaves || !prepared->has_own_token || waiting_.size() >= most_waiting) {
        ++counters_.acks_dropped;
        return;
    }
    sip::Uri next_hop = (routes->empty() ? *target : routes->front().uri).copy();
    const auto id = wait(now, AwaitsAckRoute{.ack = std::move(prepared->request)});
    STILE_ASSERT(id.has_value());
    events_.emplace_back(
        RouteWanted{.query = {*id | ack_query_bit}, .next_hop = std::move(next_hop)});
}

// RFC 3261 Section 16.10.
void Server::handle_event(Instant now, sip::TransactionLayer::CancelReceived event) {
    const Received received{
        .transaction = event.transaction, .flow = event.flow, .request = std::move(event.request)};
    if (!event.invite) {
        // Its INVITE never passed here on this flow, so there is nothing to forward it along.
        reply(now, received, status::CallOrTransactionDoesNotExist);
        return;
    }
    reply(now, received, status::Ok);
    const std::string reason{received.request.find(HeaderName::Reason).value_or("")};
    if (proxy_.cancel(now, proxy_context(), *event.invite, reason)) return;
    // It still waits for the application.
    for (auto& [id, waiting] : waiting_) {
        const auto* account = std::get_if<AwaitsAccount>(&waiting.what);
        if (!account || account->received.transaction != *event.invite) continue;
        const auto taken = take_waiting(id);
        reply(now, std::get<AwaitsAccount>(taken->what).received, status::RequestTerminated);
        return;
    }
}

}  // namespace stile::sip_server
