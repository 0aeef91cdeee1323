// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>
#include <stile/sip/call.hpp>
#include <stile/sip/user_agent_limits.hpp>

#include <utility>

namespace stile::sip {

std::expected<Call, ParseError> Call::incoming(Instant now, AgentContext context,
                                               ServerTransactionId transaction, FlowId flow,
                                               Message invite) {
    Call call{context, Role::Callee, flow};
    call.dialog_ = STILE_TRY(Dialog::of_uas(invite, call.local_tag_));
    call.call_id_ = call.dialog_->id().call_id;
    // Our own requests in this dialog start at a number of our own. RFC 3261 Section 12.2.1.1.
    call.dialog_->note_local_sequence(context.random.u32() & 0xFFFFU);
    call.incoming_ = transaction;
    call.timers_.set(Timer::Ring, now + most_ringing);
    call.events_.emplace_back(Incoming{invite});
    call.invite_ = std::move(invite);
    return call;
}

Call::Result Call::ring(Instant now, AgentContext context, Status status,
                        const ResponseParts& parts) {
    STILE_ASSERT(status.code > 100 && status.is_provisional());
    if (state_ != State::Incoming) return std::unexpected(CommandError::WrongState);
    if (!context.layer.find_flow(flow_)) return std::unexpected(CommandError::NoFlow);
    MessageBuilder builder = make_response(
        *invite_, status,
        {.reason = parts.reason, .to_tag = local_tag_, .record_routes = RecordRoutes::Copy});
    builder.add(contact(context, flow_, ContactUse::Dialog));
    add_software(context, builder, HeaderName::Server);
    add_lines(builder, parts.headers, parts.body);
    context.layer.respond(now, *incoming_, builder.build());
    return {};
}

Call::Result Call::answer(Instant now, AgentContext context, const ResponseParts& parts) {
    if (state_ != State::Incoming) return std::unexpected(CommandError::WrongState);
    if (!context.layer.find_flow(flow_)) return std::unexpected(CommandError::NoFlow);
    timers_.clear(Timer::Ring);
    dialog_->confirm();
    state_ = State::Accepted;
    accept_invite(now, context, *incoming_, *invite_, parts);
    return {};
}

Call::Result Call::reject(Instant now, AgentContext context, Status status,
                          const ResponseParts& parts) {
    STILE_ASSERT(status.code >= 300);
    if (state_ != State::Incoming) return std::unexpected(CommandError::WrongState);
    refuse_invite(now, context, *incoming_, *invite_, status, parts);
    end(EndReason::LocalReject, std::nullopt);
    return {};
}

Call::Result Call::answer_reinvite(Instant now, AgentContext context, const ResponseParts& parts) {
    if (state_ != State::Established || !remote_reinvite_) {
        return std::unexpected(CommandError::WrongState);
    }
    if (!context.layer.find_flow(flow_)) return std::unexpected(CommandError::NoFlow);
    const RemoteReinvite reinvite = *std::exchange(remote_reinvite_, {});
    accept_invite(now, context, reinvite.transaction, reinvite.invite, parts);
    return {};
}

Call::Result Call::reject_reinvite(Instant now, AgentContext context, Status status,
                                   const ResponseParts& parts) {
    STILE_ASSERT(status.code >= 300);
    if (!remote_reinvite_) return std::unexpected(CommandError::WrongState);
    const RemoteReinvite reinvite = *std::exchange(remote_reinvite_, {});
    refuse_invite(now, context, reinvite.transaction, reinvite.invite, status, parts);
    return {};
}

// RFC 3261 Section 13.3.1.4: the 2xx is repeated by the user, on every transport.
void Call::accept_invite(Instant now, AgentContext context, ServerTransactionId transaction,
                         const Message& invite, const ResponseParts& parts) {
    MessageBuilder builder = make_response(
        invite, status::Ok,
        {.reason = parts.reason, .to_tag = local_tag_, .record_routes = RecordRoutes::Copy});
    builder.add(contact(context, flow_, ContactUse::Dialog));
    add_capabilities(context, builder);
    add_software(context, builder, HeaderName::Server);
    add_lines(builder, parts.headers, parts.body);
    Message response = builder.build();
    context.layer.respond(now, transaction, response);
    const auto cseq = invite.cseq();
    STILE_ASSERT(cseq.has_value());
    const TransactionTimers& timing = context.config.timers;
    unacknowledged_ = Unacknowledged{.transaction = transaction,
                                     .sequence = cseq->number,
                                     .response = std::move(response),
                                     .interval = timing.t1};
    timers_.set(Timer::Retransmit, now + timing.t1);
    timers_.set(Timer::GiveUp, now + timing.transaction_lifetime());
}

void Call::refuse_invite(Instant now, AgentContext context, ServerTransactionId transaction,
                         const Message& invite, Status status, const ResponseParts& parts) {
    MessageBuilder builder =
        make_response(invite, status, {.reason = parts.reason, .to_tag = local_tag_});
    add_software(context, builder, HeaderName::Server);
    add_lines(builder, parts.headers, parts.body);
    context.layer.respond(now, transaction, builder.build());
}

void Call::handle_ack(Instant now, AgentContext context, Message ack) {
    const auto cseq = ack.cseq();
    if (!unacknowledged_ || !cseq || cseq->number != unacknowledged_->sequence) return;
    unacknowledged_.reset();
    timers_.clear(Timer::Retransmit);
    timers_.clear(Timer::GiveUp);
    if (bye_wanted_) {
        send_bye(now, context, *std::exchange(bye_wanted_, {}));
        return;
    }
    if (state_ == State::Ended) return;
    state_ = State::Established;
    events_.emplace_back(Acknowledged{std::move(ack)});
}

// RFC 3261 Section 9.2.
void Call::handle_cancel(Instant now, AgentContext context, ServerTransactionId transaction,
                         ServerTransactionId invite, Message cancel) {
    context.layer.respond(now, transaction,
                          make_response(cancel, status::Ok, {.to_tag = local_tag_}).build());
    if (remote_reinvite_ && remote_reinvite_->transaction == invite) {
        (void)reject_reinvite(now, context, status::RequestTerminated, {});
        return;
    }
    if (state_ != State::Incoming || incoming_ != invite) return;
    refuse_invite(now, context, *incoming_, *invite_, status::RequestTerminated, {});
    end(EndReason::RemoteCancel, std::move(cancel));
}

void Call::handle_request(Instant now, AgentContext context, ServerTransactionId transaction,
                          FlowId flow, Message request) {
    const auto answer_with = [&](Status status) {
        context.layer.respond(now, transaction, make_response(request, status).build());
    };
    Dialog* dialog = dialog_ ? &*dialog_ : nullptr;
    for (Dialog& early : early_) {
        if (!dialog && early.owns_request(request)) dialog = &early;
    }
    if (!dialog || state_ == State::Ended) {
        answer_with(status::CallOrTransactionDoesNotExist);
        return;
    }
    if (dialog->handle_request(request) == SequenceOrder::OutOfOrder) {
        answer_with(status::ServerInternalError);
        return;
    }
    flow_ = flow;
    switch (request.method()) {
        case Method::Bye:
            handle_bye(now, context, transaction, std::move(request));
            return;
        case Method::Invite:
            handle_remote_invite(now, context, transaction, std::move(request));
            return;
        case Method::Update:
            dialog->refresh_target(request);
            events_.emplace_back(
                RequestReceived{.transaction = transaction, .request = std::move(request)});
            return;
        case Method::Ack:
        case Method::Cancel:
            return;  // handled before
        case Method::Register:
        case Method::Options:
        case Method::Prack:
        case Method::Subscribe:
        case Method::Notify:
        case Method::Publish:
        case Method::Info:
        case Method::Refer:
        case Method::Message:
        case Method::Other:
            events_.emplace_back(
                RequestReceived{.transaction = transaction, .request = std::move(request)});
            return;
    }
}

// RFC 3261 Section 15.1.2.
void Call::handle_bye(Instant now, AgentContext context, ServerTransactionId transaction,
                      Message request) {
    context.layer.respond(now, transaction, make_response(request, status::Ok).build());
    if (state_ == State::Incoming) {
        refuse_invite(now, context, *incoming_, *invite_, status::RequestTerminated, {});
    }
    if (remote_reinvite_) (void)reject_reinvite(now, context, status::RequestTerminated, {});
    if (role_ == Role::Caller && (state_ == State::Calling || state_ == State::Proceeding)) {
        return;  // an early dialog of one branch: others may still answer
    }
    unacknowledged_.reset();
    timers_.clear();
    end(EndReason::RemoteBye, std::move(request));
}

bool Call::awaits_first_ack() const {
    if (role_ != Role::Callee || !unacknowledged_) return false;
    const auto first = invite_->cseq();
    return first && first->number == unacknowledged_->sequence;
}

// RFC 3261 Section 14.2.
void Call::handle_remote_invite(Instant now, AgentContext context, ServerTransactionId transaction,
                                Message request) {
    if (state_ == State::Incoming || remote_reinvite_ || awaits_first_ack()) {
        MessageBuilder builder = make_response(request, status::ServerInternalError);
        builder.add_number(HeaderName::RetryAfter,
                           static_cast<std::uint32_t>(context.random.below(11)));
        context.layer.respond(now, transaction, builder.build());
        return;
    }
    if (reinvite_transaction_ || state_ != State::Established) {
        context.layer.respond(now, transaction,
                              make_response(request, status::RequestPending).build());
        return;
    }
    // "before it sends the final response to a first INVITE" no longer holds: who asks anew has
    // lost our last answer, with its connection, say, and will not acknowledge it.
    unacknowledged_.reset();
    timers_.clear(Timer::Retransmit);
    timers_.clear(Timer::GiveUp);
    dialog_->refresh_target(request);
    remote_reinvite_ = RemoteReinvite{.transaction = transaction, .invite = request};
    events_.emplace_back(Reinvited{std::move(request)});
}

}  // namespace stile::sip
