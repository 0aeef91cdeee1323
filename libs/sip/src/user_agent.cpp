// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Inputs and the dispatch of what the transaction layer says. Commands are in
// user_agent_commands.cpp.
#include <stile/sip/user_agent.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>
#include <stile/sip/stream_framer.hpp>
#include <stile/sip/user_agent_limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

static_assert(Machine<UserAgent>);

namespace {

// What an INVITE has in common on every way that it may have taken, and with its CANCEL. RFC 3261
// Section 8.2.2.2.
std::string merge_key_of(const Message& request) {
    std::string key{request.call_id().value_or("")};
    if (const auto tag = request.from_tag()) {
        key += '\n';
        key += tag->value_or("");
    }
    if (const auto cseq = request.cseq()) key += '\n' + std::to_string(cseq->number);
    return key;
}

bool has_to_tag(const Message& request) {
    const auto tag = request.to_tag();
    return tag && *tag;
}

}  // namespace

UserAgent::UserAgent(UserAgentConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      random_(std::move(random)),
      layer_({.timers = config_.timers,
              .branch_prefix = "",
              .most_client_transactions = most_user_agent_transactions,
              .most_server_transactions = most_user_agent_transactions},
             random_.fork()) {}

void UserAgent::handle_flow_opened(Instant now, Flow flow) {
    layer_.handle_flow_opened(now, std::move(flow));
}

void UserAgent::handle_flow_closed(Instant now, FlowId flow) {
    layer_.handle_flow_closed(now, flow);
    drain_layer(now);
    for (auto& [id, registration] : registrations_) {
        registration.handle_flow_dead(now, context(), flow);
        settle(now, id);
    }
    std::vector<CallId> touched;
    for (auto& [id, entry] : calls_) {
        if (entry.call.flow() == flow) touched.push_back(id);
    }
    for (const CallId id : touched) {
        calls_.at(id).call.handle_flow_closed(now, context(), flow);
        settle(now, id);
    }
}

void UserAgent::handle_message(Instant now, FlowId flow, Message message) {
    layer_.handle_message(now, flow, std::move(message));
    drain_layer(now);
}

void UserAgent::handle_parse_failure(Instant now, FlowId flow, const ParseFailure& failure) {
    layer_.handle_parse_failure(now, flow, failure);
}

void UserAgent::handle_ping(Instant, FlowId flow) { layer_.send(flow, to_bytes(pong_octets)); }

void UserAgent::handle_pong(Instant now, FlowId flow) {
    for (auto& [id, registration] : registrations_) {
        registration.handle_pong(now, context(), flow);
        settle(now, id);
    }
}

void UserAgent::handle_timeout(Instant now) {
    layer_.handle_timeout(now);
    drain_layer(now);
    std::vector<RegistrationId> due;
    for (const auto& [id, registration] : registrations_) {
        const auto wake = registration.poll_timeout();
        if (wake && *wake <= now) due.push_back(id);
    }
    for (const RegistrationId id : due) {
        registrations_.at(id).handle_timeout(now, context());
        settle(now, id);
    }
    while (const auto id = call_deadlines_.expired(now)) {
        calls_.at(*id).call.handle_timeout(now, context());
        settle(now, *id);
    }
    while (const auto id = answer_deadlines_.expired(now)) {
        const auto found = unanswered_.find(*id);
        answer_deadlines_.update(*id, found->second.queued, std::nullopt);
        unanswered_.erase(found);
        layer_.abandon(*id);
    }
    drain_layer(now);
}

// --- what the transactions say -----------------------------------------------------------------

void UserAgent::drain_layer(Instant now) {
    while (auto event = layer_.poll_event()) {
        std::visit([&](auto&& it) { handle_event(now, std::move(it)); }, *std::move(event));
    }
}

std::optional<CallId> UserAgent::call_of(const Message& request) const {
    const auto tag = request.to_tag();
    if (!tag || !*tag) return std::nullopt;
    const auto found = calls_by_tag_.find(**tag);
    if (found == calls_by_tag_.end()) return std::nullopt;
    if (!calls_.at(found->second).call.owns_request(request)) return std::nullopt;
    return found->second;
}

void UserAgent::reply(Instant now, ServerTransactionId transaction, const Message& request,
                      Status status) {
    const std::string tag = layer_.stateless_tag(request);
    MessageBuilder builder = make_response(request, status, {.to_tag = tag});
    if (status == status::MethodNotAllowed) {
        builder.add(HeaderName::Allow, allowed_methods(config_));
    }
    if (status == status::BadInfoPackage) add_info_packages(config_, builder);
    add_software(context(), builder, HeaderName::Server);
    layer_.respond(now, transaction, builder.build());
}

// INFO without a package is of before RFC 6086; the application decides.
bool UserAgent::takes_package(const Message& info) const {
    const auto package = info.find(HeaderName::InfoPackage);
    if (!package) return true;
    std::string_view name = *package;
    name = trim(take_until(name, ';'));
    return std::ranges::any_of(config_.info_packages,
                               [name](const std::string& ours) { return iequals(ours, name); });
}

void UserAgent::handle_event(Instant now, TransactionLayer::RequestReceived event) {
    if (has_to_tag(event.request)) {
        const auto call = call_of(event.request);
        if (!call) {
            reply(now, event.transaction, event.request, status::CallOrTransactionDoesNotExist);
            return;
        }
        calls_.at(*call).call.handle_request(now, context(), event.transaction, event.flow,
                                             std::move(event.request));
        settle(now, *call);
        return;
    }
    // RFC 3261 Section 8.2.2.3: what we must understand and do not.
    if (const auto required = event.request.tokens(HeaderName::Require).all()) {
        std::string unknown;
        for (const std::string_view tag : *required) {
            const bool known = iequals(tag, "outbound") ||
                               std::ranges::any_of(config_.supported, [&](const std::string& ours) {
                                   return iequals(ours, tag);
                               });
            if (!known) unknown.append(unknown.empty() ? "" : ", ").append(tag);
        }
        if (!unknown.empty()) {
            const std::string tag = layer_.stateless_tag(event.request);
            MessageBuilder builder =
                make_response(event.request, status::BadExtension, {.to_tag = tag});
            builder.add(HeaderName::Unsupported, unknown);
            layer_.respond(now, event.transaction, builder.build());
            return;
        }
    }
    if (event.request.method() == Method::Invite) {
        handle_new_call(now, std::move(event));
    } else {
        handle_outside_request(now, std::move(event));
    }
}

void UserAgent::handle_new_call(Instant now, TransactionLayer::RequestReceived event) {
    std::string key = merge_key_of(event.request);
    if (calls_by_merge_key_.contains(key)) {
        reply(now, event.transaction, event.request, status::LoopDetected);
        return;
    }
    if (calls_.size() >= most_calls) {
        reply(now, event.transaction, event.request, status::BusyHere);
        return;
    }
    const Message& invite = event.request;
    auto call = Call::incoming(now, context(), event.transaction, event.flow, invite);
    if (!call) {
        reply(now, event.transaction, event.request, status::BadRequest);
        return;
    }
    const CallId id{++last_id_};
    calls_by_tag_.emplace(call->local_tag(), id);
    calls_by_merge_key_.emplace(key, id);
    calls_.emplace(id,
                   CallEntry{.call = *std::move(call), .queued = {}, .merge_key = std::move(key)});
    settle(now, id);
}

void UserAgent::handle_outside_request(Instant now, TransactionLayer::RequestReceived event) {
    switch (event.request.method()) {
        case Method::Options:
            answer_options(now, event.transaction, event.request);
            return;
        case Method::Bye:
        case Method::Info:
        case Method::Prack:
        case Method::Update:
            reply(now, event.transaction, event.request, status::CallOrTransactionDoesNotExist);
            return;
        case Method::Invite:
        case Method::Ack:
        case Method::Cancel:
            return;  // handled before
        case Method::Register:
        case Method::Subscribe:
        case Method::Notify:
        case Method::Publish:
        case Method::Refer:
        case Method::Message:
        case Method::Other:
            break;
    }
    if (std::ranges::find(config_.methods, event.request.method_text()) == config_.methods.end()) {
        reply(now, event.transaction, event.request, status::MethodNotAllowed);
        return;
    }
    await_answer(now, event.transaction, event.request, layer_.stateless_tag(event.request));
    events_.emplace_back(RequestReceived{
        .transaction = event.transaction, .flow = event.flow, .request = std::move(event.request)});
}

// RFC 3261 Section 11.2.
void UserAgent::answer_options(Instant now, ServerTransactionId transaction,
                               const Message& request) {
    const std::string tag = layer_.stateless_tag(request);
    MessageBuilder builder = make_response(request, status::Ok, {.to_tag = tag});
    add_capabilities(context(), builder);
    std::string types;
    for (const std::string& type : config_.accepted_types) {
        types += (types.empty() ? "" : ", ") + type;
    }
    if (!types.empty()) builder.add(HeaderName::Accept, types);
    add_software(context(), builder, HeaderName::Server);
    layer_.respond(now, transaction, builder.build());
}

void UserAgent::await_answer(Instant now, ServerTransactionId transaction, const Message& request,
                             std::string to_tag) {
    const auto [entry, is_new] = unanswered_.emplace(
        transaction, Unanswered{.request = request, .to_tag = std::move(to_tag), .queued = {}});
    if (is_new) {
        answer_deadlines_.update(transaction, entry->second.queued, now + most_answer_delay);
    }
}

void UserAgent::handle_event(Instant now, TransactionLayer::AckReceived event) {
    const auto call = call_of(event.request);
    if (!call) return;
    calls_.at(*call).call.handle_ack(now, context(), std::move(event.request));
    settle(now, *call);
}

void UserAgent::handle_event(Instant now, TransactionLayer::CancelReceived event) {
    std::optional<CallId> call = call_of(event.request);
    if (const auto found = calls_by_merge_key_.find(merge_key_of(event.request));
        !call && found != calls_by_merge_key_.end()) {
        call = found->second;
    }
    if (!call || !event.invite) {
        // RFC 3261 Section 9.2: 481 where there is no such transaction, else 200 without effect.
        reply(now, event.transaction, event.request,
              event.invite ? status::Ok : status::CallOrTransactionDoesNotExist);
        return;
    }
    calls_.at(*call).call.handle_cancel(now, context(), event.transaction, *event.invite,
                                        std::move(event.request));
    settle(now, *call);
}

void UserAgent::handle_event(Instant now, TransactionLayer::ResponseReceived event) {
    const auto found = owners_.find(event.transaction);
    if (found == owners_.end()) return;
    const Owner owner = found->second;
    const bool is_invite = event.response.cseq().value_or(CSeq{}).method == Method::Invite;
    if (event.response.status().is_final() && !is_invite) owners_.erase(found);
    if (const auto* registration = std::get_if<RegistrationId>(&owner)) {
        registrations_.at(*registration)
            .handle_response(now, context(), event.transaction, event.response);
        settle(now, *registration);
    } else if (const auto* call = std::get_if<CallId>(&owner)) {
        calls_.at(*call).call.handle_response(now, context(), event.transaction,
                                              std::move(event.response));
        settle(now, *call);
    } else {
        handle_outside_response(now, std::get<RequestId>(owner), std::move(event.response));
    }
}

void UserAgent::handle_outside_response(Instant now, RequestId id, Message response) {
    if (response.status().is_provisional()) return;
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;
    PendingRequest& pending = found->second;
    const bool is_challenge = response.status() == status::ProxyAuthenticationRequired ||
                              (response.status() == status::Unauthorized &&
                               config_.peer_challenges == PeerChallenges::Answer);
    if (is_challenge && pending.digest &&
        pending.digest->handle_challenge(response) == DigestClient::Outcome::Retry &&
        send_outside(now, id, pending)) {
        return;
    }
    requests_.erase(found);
    events_.emplace_back(RequestAnswered{.request = id, .response = std::move(response)});
}

void UserAgent::handle_event(Instant now, TransactionLayer::ClientFailed event) {
    const auto found = owners_.find(event.transaction);
    if (found == owners_.end()) return;
    const Owner owner = found->second;
    owners_.erase(found);
    if (const auto* registration = std::get_if<RegistrationId>(&owner)) {
        registrations_.at(*registration).handle_failure(now, context(), event.transaction);
        settle(now, *registration);
    } else if (const auto* call = std::get_if<CallId>(&owner)) {
        calls_.at(*call).call.handle_failure(now, context(), event.transaction, event.failure);
        settle(now, *call);
    } else {
        const RequestId id = std::get<RequestId>(owner);
        if (requests_.erase(id) > 0) {
            events_.emplace_back(RequestFailed{.request = id, .failure = event.failure});
        }
    }
}

void UserAgent::handle_event(Instant now, TransactionLayer::InviteEnded event) {
    const auto found = owners_.find(event.transaction);
    if (found == owners_.end()) return;
    const Owner owner = found->second;
    owners_.erase(found);
    if (const auto* call = std::get_if<CallId>(&owner)) {
        calls_.at(*call).call.handle_invite_ended(event.transaction);
        settle(now, *call);
    }
}

// --- after each touch --------------------------------------------------------------------------

void UserAgent::settle(Instant now, CallId id) {
    const auto found = calls_.find(id);
    STILE_ASSERT(found != calls_.end());
    Call& call = found->second.call;
    for (const ClientTransactionId transaction : call.take_started()) {
        owners_.emplace(transaction, id);
    }
    while (auto event = call.poll_event()) {
        if (const auto* received = std::get_if<Call::RequestReceived>(&*event)) {
            // The peer's tag for us is in the request already.
            if (received->request.method() == Method::Options) {
                answer_options(now, received->transaction, received->request);
                continue;
            }
            if (received->request.method() == Method::Info && !takes_package(received->request)) {
                reply(now, received->transaction, received->request, status::BadInfoPackage);
                continue;
            }
            const bool known =
                received->request.method() == Method::Info ||
                std::ranges::find(config_.methods, received->request.method_text()) !=
                    config_.methods.end();
            if (!known) {
                reply(now, received->transaction, received->request, status::MethodNotAllowed);
                continue;
            }
            await_answer(now, received->transaction, received->request, {});
        }
        events_.emplace_back(CallEvent{.call = id, .event = *std::move(event)});
    }
    if (!call.is_finished()) {
        call_deadlines_.update(id, found->second.queued, call.poll_timeout());
        return;
    }
    call_deadlines_.update(id, found->second.queued, std::nullopt);
    calls_by_tag_.erase(call.local_tag());
    if (!found->second.merge_key.empty()) calls_by_merge_key_.erase(found->second.merge_key);
    std::erase_if(owners_, [id](const auto& entry) {
        const auto* owner = std::get_if<CallId>(&entry.second);
        return owner && *owner == id;
    });
    calls_.erase(found);
}

void UserAgent::settle(Instant, RegistrationId id) {
    Registration& registration = registrations_.at(id);
    if (const auto transaction = registration.transaction()) owners_.emplace(*transaction, id);
    while (auto event = registration.poll_event()) {
        if (const auto* registered = std::get_if<Registration::Registered>(&*event)) {
            const auto [last, is_first] = registered_flows_.emplace(id, registered->flow);
            if (!is_first) {
                replace_flow(std::exchange(last->second, registered->flow), registered->flow);
            }
        }
        events_.emplace_back(RegistrationEvent{.registration = id, .event = *std::move(event)});
    }
}

std::optional<Outgoing> UserAgent::poll_transmit() { return layer_.poll_transmit(); }

std::optional<UserAgent::Event> UserAgent::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event first = std::move(events_.front());
    events_.pop_front();
    if (const auto* told = std::get_if<RegistrationEvent>(&first)) {
        if (std::holds_alternative<Registration::Removed>(told->event)) {
            const RegistrationId id = told->registration;
            std::erase_if(owners_, [id](const auto& entry) {
                const auto* owner = std::get_if<RegistrationId>(&entry.second);
                return owner && *owner == id;
            });
            registrations_.erase(id);
            registered_flows_.erase(id);
        }
    }
    return first;
}

std::optional<Instant> UserAgent::poll_timeout() const {
    auto soonest = earlier(layer_.poll_timeout(), call_deadlines_.next());
    soonest = earlier(soonest, answer_deadlines_.next());
    for (const auto& [id, registration] : registrations_) {
        soonest = earlier(soonest, registration.poll_timeout());
    }
    return soonest;
}

}  // namespace stile::sip
