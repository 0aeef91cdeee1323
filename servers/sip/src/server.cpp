// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Inputs, outputs and what waits for the application. The registrar's part is in
// server_register.cpp, the proxy's in server_proxy.cpp.
#include <stile/sip_server/server.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>
#include <stile/sip/stream_framer.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip_server {

static_assert(Machine<Server>);

using sip::FlowId;
using sip::HeaderName;
using sip::Message;
using sip::Status;
namespace status = sip::status;

namespace {

std::string branch_prefix(ShardId shard) { return "s" + std::to_string(shard.value) + "."; }

ProxyConfig with_realm(ProxyConfig config, const std::string& realm) {
    config.realm = realm;
    return config;
}

}  // namespace

Server::Server(Instant now, WallTime wall_now, ServerConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      random_(std::move(random)),
      layer_({.timers = config_.timers,
              .branch_prefix = branch_prefix(config_.shard),
              .most_client_transactions = config_.most_transactions,
              .most_server_transactions = config_.most_transactions},
             random_.fork()),
      tokens_(config_.flow_key, config_.shard, config_.epoch),
      authenticator_({.realm = config_.realm,
                      .own = config_.own,
                      .nonce_lifetime = config_.nonce_lifetime,
                      .md5_transports = config_.md5_transports,
                      .default_class = config_.default_class},
                     config_.nonce_key),
      locations_(config_.most_bindings),
      proxy_(with_realm(config_.proxy, config_.realm)),
      clock_instant_(now),
      clock_wall_(wall_now) {
    STILE_ASSERT(!config_.own.domains.empty());
    STILE_ASSERT(!config_.realm.empty());
}

std::size_t Server::load_bindings(Instant now, const std::vector<BindingRecord>& records) {
    std::size_t taken = 0;
    for (const BindingRecord& record : records) {
        auto binding = from_record(record, now, wall(now));
        if (!binding || locations_.count(record.user) >= most_bindings_per_user) continue;
        if (locations_.put(record.user, *std::move(binding))) ++taken;
    }
    return taken;
}

void Server::set_wall_time(Instant now, WallTime wall_now) {
    clock_instant_ = now;
    clock_wall_ = wall_now;
}

WallTime Server::wall(Instant now) const {
    return clock_wall_ + std::chrono::floor<std::chrono::seconds>(now - clock_instant_);
}

void Server::handle_flow_opened(Instant now, sip::Flow flow,
                                std::optional<std::string> certificate_user) {
    flows_.insert_or_assign(
        flow.id, FlowState{.certificate_user = std::move(certificate_user), .users = {}});
    layer_.handle_flow_opened(now, std::move(flow));
}

void Server::handle_flow_closed(Instant now, FlowId flow) {
    if (const auto gone = flows_.extract(flow); gone && gone.mapped().has_user()) {
        departed_.insert_or_assign(flow, std::move(gone.mapped()));
        if (departed_.size() > most_departed_flows) departed_.erase(departed_.begin());
    }
    layer_.handle_flow_closed(now, flow);
    proxy_.handle_source_closed(now, proxy_context(), flow);
    const std::vector<BindingRemoved> removed = locations_.close_flow(flow);
    for (const BindingRemoved& it : removed) successors_.note_lost(it.user, it.key, flow);
    persist_removals(now, removed);
    drain(now);
}

void Server::handle_message(Instant now, FlowId flow, Message message) {
    layer_.handle_message(now, flow, std::move(message));
    drain(now);
}

void Server::handle_parse_failure(Instant now, FlowId flow, const sip::ParseFailure& failure) {
    layer_.handle_parse_failure(now, flow, failure);
}

void Server::handle_ping(Instant, FlowId flow) { layer_.send(flow, to_bytes(sip::pong_octets)); }

void Server::handle_timeout(Instant now) {
    layer_.handle_timeout(now);
    drain(now);
    proxy_.handle_timeout(now, proxy_context());
    persist_removals(now, locations_.expire(now));
    while (const auto id = waiting_deadlines_.expired(now)) {
        if (auto waiting = take_waiting(*id)) give_up(now, *std::move(waiting));
    }
    drain(now);
}

void Server::drain(Instant now) {
    for (;;) {
        if (auto event = layer_.poll_event()) {
            std::visit([&](auto&& it) { handle_event(now, std::move(it)); }, *std::move(event));
        } else if (auto wanted = proxy_.poll_event()) {
            events_.emplace_back(*std::move(wanted));
        } else {
            return;
        }
    }
}

void Server::handle_event(Instant now, sip::TransactionLayer::RequestReceived event) {
    Received received{
        .transaction = event.transaction, .flow = event.flow, .request = std::move(event.request)};
    const auto target = received.request.request_uri();
    STILE_ASSERT(target.has_value());  // the layer lets nothing else pass
    if (received.request.method() == sip::Method::Register && config_.own.is_own(*target)) {
        handle_register(now, std::move(received));
    } else {
        handle_proxy_request(now, std::move(received));
    }
}

void Server::handle_event(Instant now, sip::TransactionLayer::ResponseReceived event) {
    proxy_.handle_response(now, proxy_context(), event.transaction, std::move(event.response));
}

void Server::handle_event(Instant now, sip::TransactionLayer::ClientFailed event) {
    proxy_.handle_failure(now, proxy_context(), event.transaction, event.failure);
}

void Server::handle_event(Instant, sip::TransactionLayer::InviteEnded event) {
    proxy_.handle_invite_ended(event.transaction);
}

// --- answers of the application ----------------------------------------------------------------

std::optional<std::uint64_t> Server::wait(Instant now, decltype(Waiting::what) what) {
    if (waiting_.size() >= most_waiting) return std::nullopt;
    const std::uint64_t id = ++last_id_;
    const auto [entry, is_new] =
        waiting_.emplace(id, Waiting{.what = std::move(what), .queued = std::nullopt});
    STILE_ASSERT(is_new);
    waiting_deadlines_.update(id, entry->second.queued, now + most_wait);
    return id;
}

std::optional<Server::Waiting> Server::take_waiting(std::uint64_t id) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return std::nullopt;
    waiting_deadlines_.update(id, found->second.queued, std::nullopt);
    Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    return waiting;
}

void Server::give_up(Instant now, Waiting waiting) {
    if (auto* account = std::get_if<AwaitsAccount>(&waiting.what)) {
        reply(now, account->received, status::ServerInternalError);
    } else if (auto* store = std::get_if<AwaitsStore>(&waiting.what)) {
        layer_.respond(now, store->transaction, store->failure);
    }
}

void Server::ask_account(Instant now, AwaitsAccount waiting) {
    std::string user = waiting.user;
    if (waiting_.size() >= most_waiting) {
        reply(now, waiting.received, status::ServiceUnavailable);
        return;
    }
    const auto id = wait(now, std::move(waiting));
    STILE_ASSERT(id.has_value());
    events_.emplace_back(AccountWanted{.query = {*id}, .user = std::move(user)});
}

void Server::handle_account(Instant now, AccountQuery query, std::optional<AccountRecord> account) {
    const auto found = waiting_.find(query.value);
    if (found == waiting_.end() || !std::holds_alternative<AwaitsAccount>(found->second.what)) {
        return;
    }
    auto waiting = take_waiting(query.value);
    auto& what = std::get<AwaitsAccount>(waiting->what);
    if (account && account->user != what.user) account.reset();
    switch (what.purpose) {
        case Purpose::Register:
            authenticate_register(now, std::move(what), account);
            break;
        case Purpose::Proxy:
            authenticate_proxy(now, std::move(what), account);
            break;
        case Purpose::Lookup:
            // RFC 3261 Section 16.5: nobody of this name, or nobody there now.
            reply(now, what.received, account ? status::TemporarilyUnavailable : status::NotFound);
            break;
    }
    drain(now);
}

void Server::handle_persisted(Instant now, PersistBatch batch, PersistResult result) {
    const auto found = waiting_.find(batch.value);
    if (found == waiting_.end() || !std::holds_alternative<AwaitsStore>(found->second.what)) {
        return;
    }
    const auto waiting = take_waiting(batch.value);
    const auto& what = std::get<AwaitsStore>(waiting->what);
    switch (result) {
        case PersistResult::Written:
            ++counters_.registrations;
            layer_.respond(now, what.transaction, what.response);
            break;
        case PersistResult::Failed:
            ++counters_.registrations_refused;
            layer_.respond(now, what.transaction, what.failure);
            break;
    }
    drain(now);
}

void Server::handle_route(Instant now, RouteQuery query, std::optional<FlowId> flow) {
    if ((query.value & ack_query_bit) != 0) {
        const std::uint64_t id = query.value & ~ack_query_bit;
        const auto found = waiting_.find(id);
        if (found == waiting_.end() ||
            !std::holds_alternative<AwaitsAckRoute>(found->second.what)) {
            return;
        }
        const auto waiting = take_waiting(id);
        if (flow) {
            proxy_.forward_ack(proxy_context(), std::get<AwaitsAckRoute>(waiting->what).ack, *flow);
        } else {
            ++counters_.acks_dropped;
        }
        return;
    }
    proxy_.handle_route(now, proxy_context(), query, flow);
    drain(now);
}

// --- what both parts use -----------------------------------------------------------------------

std::string Server::user_of(const sip::UriView& uri) const {
    return uri.user ? sip::unescape(*uri.user) : std::string{};
}

bool Server::is_known(FlowId flow, std::string_view user) const {
    const auto found = flows_.find(flow);
    return found != flows_.end() && found->second.is_of(user);
}

// Both must be the same user's: else whoever takes part in a dialog could draw the other's requests
// to itself.
void Server::note_moved(FlowId from, FlowId to) {
    const auto now_at = flows_.find(to);
    if (now_at == flows_.end()) return;
    const auto open = flows_.find(from);
    const auto closed = departed_.find(from);
    if (open == flows_.end() && closed == departed_.end()) return;
    const FlowState& before = open != flows_.end() ? open->second : closed->second;
    const bool is_same = now_at->second.is_of(before.certificate_user.value_or("")) ||
                         std::ranges::any_of(before.users, [&](const std::string& user) {
                             return now_at->second.is_of(user);
                         });
    if (is_same) successors_.note_moved(from, to);
}

// Only a connection proves that the next request is from the same client.
void Server::note_user(FlowId flow, const std::string& user) {
    const sip::Flow* open = layer_.find_flow(flow);
    const auto found = flows_.find(flow);
    if (!open || found == flows_.end() || !sip::is_reliable(open->transport)) return;
    if (found->second.users.size() < most_users_per_flow) found->second.users.insert(user);
}

Authenticator::Source Server::source(FlowId flow) const {
    const sip::Flow* open = layer_.find_flow(flow);
    return {.flow = flow, .transport = open ? open->transport : sip::TransportKind::Udp};
}

void Server::note_auth_failure(FlowId flow) {
    ++counters_.auth_failures;
    if (const auto found = flows_.find(flow); found != flows_.end()) {
        ++found->second.auth_failures;
    }
}

void Server::challenge(Instant now, const Received& received, Status status,
                       const std::optional<AccountRecord>& account, sip::Staleness staleness) {
    const auto found = flows_.find(received.flow);
    const bool tired = found != flows_.end() && found->second.auth_failures >= most_auth_failures;
    const auto values =
        authenticator_.challenges(account, source(received.flow), staleness, wall(now), random_);
    if (values.empty() || tired) {
        reply(now, received, status::Forbidden, tired ? "Too Many Attempts" : "TLS Required");
        return;
    }
    ++counters_.challenges;
    const std::string tag = layer_.stateless_tag(received.request);
    sip::MessageBuilder builder = sip::make_response(received.request, status, {.to_tag = tag});
    const HeaderName name = status == status::Unauthorized ? HeaderName::WwwAuthenticate
                                                           : HeaderName::ProxyAuthenticate;
    for (const std::string& value : values) builder.add(name, value);
    if (!config_.software.empty()) builder.add(HeaderName::Server, config_.software);
    layer_.respond(now, received.transaction, builder.build());
}

void Server::reply(Instant now, const Received& received, Status status, std::string_view reason) {
    const std::string tag = layer_.stateless_tag(received.request);
    sip::MessageBuilder builder =
        sip::make_response(received.request, status, {.reason = reason, .to_tag = tag});
    if (status == status::ServiceUnavailable) builder.add_number(HeaderName::RetryAfter, 10);
    if (!config_.software.empty()) builder.add(HeaderName::Server, config_.software);
    layer_.respond(now, received.transaction, builder.build());
}

// --- outputs -----------------------------------------------------------------------------------

std::optional<sip::Outgoing> Server::poll_transmit() { return layer_.poll_transmit(); }

std::optional<Server::Event> Server::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event first = std::move(events_.front());
    events_.pop_front();
    return first;
}

std::optional<Instant> Server::poll_timeout() const {
    auto soonest = earlier(layer_.poll_timeout(), proxy_.poll_timeout());
    soonest = earlier(soonest, locations_.next_expiry());
    return earlier(soonest, waiting_deadlines_.next());
}

}  // namespace stile::sip_server
