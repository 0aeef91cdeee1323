// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip/user_agent.hpp>
#include <stile/sip/user_agent_limits.hpp>

#include <utility>

namespace stile::sip {

template <class Command>
auto UserAgent::with_call(Instant now, CallId call, Command&& command)
    -> decltype(command(std::declval<Call&>())) {
    const auto found = calls_.find(call);
    if (found == calls_.end()) return std::unexpected(CommandError::Unknown);
    auto result = command(found->second.call);
    settle(now, call);
    drain_layer(now);
    return result;
}

template <class Command>
UserAgent::Result UserAgent::with_registration(Instant now, RegistrationId registration,
                                               Command&& command) {
    const auto found = registrations_.find(registration);
    if (found == registrations_.end()) return std::unexpected(CommandError::Unknown);
    command(found->second);
    settle(now, registration);
    drain_layer(now);
    return {};
}

std::expected<RegistrationId, CommandError> UserAgent::register_with(Instant now,
                                                                     RegistrationConfig config,
                                                                     std::optional<FlowId> flow) {
    if (registrations_.size() >= most_registrations) return std::unexpected(CommandError::TooMany);
    if (flow && !layer_.find_flow(*flow)) return std::unexpected(CommandError::NoFlow);
    const RegistrationId id{++last_id_};
    const auto [entry, is_new] =
        registrations_.emplace(id, Registration{context(), std::move(config)});
    STILE_ASSERT(is_new);
    entry->second.start(now, context(), flow);
    settle(now, id);
    return id;
}

UserAgent::Result UserAgent::use_flow(Instant now, RegistrationId registration, FlowId flow) {
    if (!layer_.find_flow(flow)) return std::unexpected(CommandError::NoFlow);
    return with_registration(now, registration,
                             [&](Registration& it) { it.use_flow(now, context(), flow); });
}

UserAgent::Result UserAgent::flow_unavailable(Instant now, RegistrationId registration) {
    return with_registration(now, registration,
                             [&](Registration& it) { it.handle_flow_unavailable(now, context()); });
}

UserAgent::Result UserAgent::keep_alive_answered(Instant now, RegistrationId registration,
                                                 FlowId flow) {
    return with_registration(now, registration,
                             [&](Registration& it) { it.handle_pong(now, context(), flow); });
}

UserAgent::Result UserAgent::flow_dead(Instant now, RegistrationId registration, FlowId flow) {
    return with_registration(now, registration,
                             [&](Registration& it) { it.handle_flow_dead(now, context(), flow); });
}

UserAgent::Result UserAgent::unregister(Instant now, RegistrationId registration) {
    return with_registration(now, registration, [&](Registration& it) { it.stop(now, context()); });
}

const Registration* UserAgent::find(RegistrationId registration) const {
    const auto found = registrations_.find(registration);
    return found == registrations_.end() ? nullptr : &found->second;
}

std::expected<CallId, CommandError> UserAgent::invite(Instant now, InviteRequest request) {
    if (calls_.size() >= most_calls) return std::unexpected(CommandError::TooMany);
    if (!layer_.find_flow(request.flow)) return std::unexpected(CommandError::NoFlow);
    const CallId id{++last_id_};
    Call call{now, context(), std::move(request)};
    calls_by_tag_.emplace(call.local_tag(), id);
    calls_.emplace(id, CallEntry{.call = std::move(call), .queued = {}, .merge_key = {}});
    settle(now, id);
    return id;
}

UserAgent::Result UserAgent::ring(Instant now, CallId call, Status status,
                                  const ResponseParts& parts) {
    return with_call(now, call, [&](Call& it) { return it.ring(now, context(), status, parts); });
}

UserAgent::Result UserAgent::answer(Instant now, CallId call, const ResponseParts& parts) {
    return with_call(now, call, [&](Call& it) { return it.answer(now, context(), parts); });
}

UserAgent::Result UserAgent::reject(Instant now, CallId call, Status status,
                                    const ResponseParts& parts) {
    return with_call(now, call, [&](Call& it) { return it.reject(now, context(), status, parts); });
}

UserAgent::Result UserAgent::cancel(Instant now, CallId call, std::string_view reason) {
    return with_call(now, call, [&](Call& it) { return it.cancel(now, context(), reason); });
}

UserAgent::Result UserAgent::bye(Instant now, CallId call, const std::vector<HeaderLine>& headers) {
    return with_call(now, call, [&](Call& it) { return it.bye(now, context(), headers); });
}

UserAgent::Result UserAgent::reinvite(Instant now, CallId call, const ResponseParts& parts) {
    return with_call(now, call, [&](Call& it) { return it.reinvite(now, context(), parts); });
}

UserAgent::Result UserAgent::answer_reinvite(Instant now, CallId call, const ResponseParts& parts) {
    return with_call(now, call,
                     [&](Call& it) { return it.answer_reinvite(now, context(), parts); });
}

UserAgent::Result UserAgent::reject_reinvite(Instant now, CallId call, Status status,
                                             const ResponseParts& parts) {
    return with_call(now, call,
                     [&](Call& it) { return it.reject_reinvite(now, context(), status, parts); });
}

std::expected<DialogRequestId, CommandError> UserAgent::request(Instant now, CallId call,
                                                                std::string_view method,
                                                                const ResponseParts& parts) {
    return with_call(now, call,
                     [&](Call& it) { return it.request(now, context(), method, parts); });
}

void UserAgent::replace_flow(FlowId old_flow, FlowId new_flow) {
    for (auto& [id, entry] : calls_) {
        if (entry.call.flow() == old_flow) entry.call.use_flow(new_flow);
    }
}

const Call* UserAgent::find(CallId call) const {
    const auto found = calls_.find(call);
    return found == calls_.end() ? nullptr : &found->second.call;
}

std::expected<RequestId, CommandError> UserAgent::request(Instant now, OutsideRequest request) {
    if (requests_.size() >= most_outside_requests) return std::unexpected(CommandError::TooMany);
    if (!layer_.find_flow(request.flow)) return std::unexpected(CommandError::NoFlow);
    const RequestId id{++last_id_};
    PendingRequest pending{.request = std::move(request),
                           .digest = std::nullopt,
                           .call_id = random_token(random_),
                           .from_tag = random_token(random_),
                           .sequence = random_.u32() & 0xFFFFU,
                           .transaction = {}};
    if (config_.account) pending.digest.emplace(*config_.account, random_.fork(), config_.md5);
    const auto [entry, is_new] = requests_.emplace(id, std::move(pending));
    STILE_ASSERT(is_new);
    if (!send_outside(now, id, entry->second)) {
        requests_.erase(entry);
        return std::unexpected(CommandError::TooMany);
    }
    return id;
}

bool UserAgent::send_outside(Instant now, RequestId id, PendingRequest& pending) {
    const OutsideRequest& request = pending.request;
    if (!layer_.find_flow(request.flow)) return false;
    NameAddr from = config_.address;
    from.set_tag(pending.from_tag);
    const std::string target = request.target.to_string();
    MessageBuilder builder = MessageBuilder::request(request.method, target);
    builder.add(layer_.make_via(request.flow)).add(HeaderName::MaxForwards, "70");
    for (const NameAddr& hop : request.route) builder.add(HeaderName::Route, hop);
    const Method method = method_of(request.method);
    builder.add(HeaderName::From, from)
        .add(HeaderName::To, NameAddr{.uri = request.target})
        .add(HeaderName::CallId, pending.call_id)
        .add(CSeq{.number = ++pending.sequence,
                  .method = method,
                  .extension = method == Method::Other ? request.method : std::string{}});
    add_software(context(), builder, HeaderName::UserAgent);
    add_credentials(builder, pending.digest ? &*pending.digest : nullptr, request.method, target,
                    request.body);
    add_lines(builder, request.headers, request.body);
    const auto sent = layer_.send_request(now, request.flow, builder.build());
    if (!sent) return false;
    pending.transaction = *sent;
    owners_.emplace(*sent, id);
    return true;
}

void UserAgent::respond(Instant now, ServerTransactionId transaction, Status status,
                        const ResponseParts& parts) {
    const auto found = unanswered_.find(transaction);
    if (found == unanswered_.end()) return;
    MessageBuilder builder = make_response(
        found->second.request, status, {.reason = parts.reason, .to_tag = found->second.to_tag});
    add_software(context(), builder, HeaderName::Server);
    add_lines(builder, parts.headers, parts.body);
    layer_.respond(now, transaction, builder.build());
    if (status.is_provisional()) return;
    answer_deadlines_.update(transaction, found->second.queued, std::nullopt);
    unanswered_.erase(found);
}

}  // namespace stile::sip
