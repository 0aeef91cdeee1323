// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What both sides of a call do. The caller's part is in call_uac.cpp, the callee's in call_uas.cpp.
#include <stile/sip/call.hpp>

#include <stile/base/assert.hpp>
#include <stile/sip/user_agent_limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

Call::Call(AgentContext context, Role role, FlowId flow)
    : role_(role),
      state_(role == Role::Caller ? State::Calling : State::Incoming),
      flow_(flow),
      local_tag_(random_token(context.random)) {
    if (context.config.account) {
        digest_.emplace(*context.config.account, context.random.fork(), context.config.md5);
    }
}

bool Call::owns_request(const Message& request) const {
    if (dialog_) return dialog_->owns_request(request);
    return std::ranges::any_of(early_, [&](const Dialog& d) { return d.owns_request(request); });
}

bool Call::is_finished() const {
    return state_ == State::Ended && pending_.empty() && !invite_transaction_ && !unacknowledged_;
}

void Call::end(EndReason reason, std::optional<Message> message) {
    if (state_ == State::Ended) return;
    state_ = State::Ended;
    timers_.clear(Timer::Ring);
    events_.emplace_back(Ended{.reason = reason, .message = std::move(message)});
}

std::optional<Call::Event> Call::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event first = std::move(events_.front());
    events_.pop_front();
    return first;
}

// --- requests within the dialog ---------------------------------------------------------------

std::expected<ClientTransactionId, CommandError> Call::send_in_dialog(Instant now,
                                                                      AgentContext context,
                                                                      Dialog& dialog,
                                                                      Pending pending) {
    if (!context.layer.find_flow(flow_)) return std::unexpected(CommandError::NoFlow);
    if (pending_.size() >= most_dialog_requests) return std::unexpected(CommandError::TooMany);
    MessageBuilder builder = dialog.request(pending.method, context.layer.make_via(flow_));
    if (pending.purpose == Purpose::Reinvite) {
        builder.add(contact(context, flow_, ContactUse::Dialog));
        add_capabilities(context, builder);
    }
    add_software(context, builder, HeaderName::UserAgent);
    add_credentials(builder, digest_ ? &*digest_ : nullptr, pending.method,
                    dialog.remote_target().to_string(), pending.parts.body);
    add_lines(builder, pending.parts.headers, pending.parts.body);
    Message message = builder.build();
    const auto sent = context.layer.send_request(now, flow_, message);
    if (!sent) {
        return std::unexpected(sent.error() == SendError::UnknownFlow ? CommandError::NoFlow
                                                                      : CommandError::TooMany);
    }
    if (pending.purpose == Purpose::Reinvite) {
        invite_ = std::move(message);
        reinvite_transaction_ = *sent;
    }
    started_.push_back(*sent);
    pending_.emplace(*sent, std::move(pending));
    return *sent;
}

Call::Result Call::reinvite(Instant now, AgentContext context, const ResponseParts& parts) {
    if (!may_reinvite()) return std::unexpected(CommandError::WrongState);
    const auto sent = send_in_dialog(
        now, context, *dialog_,
        Pending{.purpose = Purpose::Reinvite, .id = {}, .method = "INVITE", .parts = parts});
    if (!sent) return std::unexpected(sent.error());
    return {};
}

std::expected<DialogRequestId, CommandError> Call::request(Instant now, AgentContext context,
                                                           std::string_view method,
                                                           const ResponseParts& parts) {
    Dialog* dialog = dialog_ ? &*dialog_ : nullptr;
    if (!dialog && early_.size() == 1) dialog = &early_.front();
    if (!dialog || state_ == State::Ended) return std::unexpected(CommandError::WrongState);
    const DialogRequestId id{++last_request_};
    const auto sent = send_in_dialog(now, context, *dialog,
                                     Pending{.purpose = Purpose::Other,
                                             .id = id,
                                             .method = std::string{method},
                                             .parts = parts,
                                             .sent_in = state_});
    if (!sent) return std::unexpected(sent.error());
    return id;
}

Call::Result Call::bye(Instant now, AgentContext context, const std::vector<HeaderLine>& headers) {
    if (state_ == State::Accepted) {
        // RFC 3261 Section 15: not before the ACK or the end of waiting for it.
        bye_wanted_ = headers;
        end(EndReason::LocalBye, std::nullopt);
        return {};
    }
    if (state_ != State::Established) return std::unexpected(CommandError::WrongState);
    send_bye(now, context, headers);
    end(EndReason::LocalBye, std::nullopt);
    return {};
}

void Call::send_bye(Instant now, AgentContext context, const std::vector<HeaderLine>& headers) {
    // Without a flow there is nobody to tell: the peer's own requests will find no dialog.
    (void)send_in_dialog(
        now, context, *dialog_,
        Pending{.purpose = Purpose::Bye, .id = {}, .method = "BYE", .parts = {.headers = headers}});
}

// --- inputs -----------------------------------------------------------------------------------

void Call::handle_response(Instant now, AgentContext context, ClientTransactionId transaction,
                           Message response) {
    if (digest_ && response.status().is_success()) digest_->handle_success(response);
    if (transaction == invite_transaction_) {
        handle_invite_response(now, context, std::move(response));
        return;
    }
    const auto found = pending_.find(transaction);
    if (found == pending_.end()) return;
    if (response.status().is_provisional()) return;
    if (found->second.purpose == Purpose::Reinvite && response.status().is_success()) {
        // It stays to hear repetitions of the 2xx, until handle_invite_ended().
        const auto cseq = response.cseq();
        const auto ack = cseq ? acks_.find(cseq->number) : acks_.end();
        if (ack != acks_.end()) {
            context.layer.send(flow_, Bytes{ack->second});
            return;
        }
        dialog_->refresh_target(response);
        context.layer.send(flow_, make_ack(context, *dialog_, response));
        reinvite_transaction_.reset();
        events_.emplace_back(ReinviteAnswered{std::move(response)});
        return;
    }
    Pending pending = std::move(found->second);
    pending_.erase(found);
    if (transaction == reinvite_transaction_) reinvite_transaction_.reset();
    handle_dialog_response(now, context, std::move(pending), std::move(response));
}

void Call::handle_dialog_response(Instant now, AgentContext context, Pending pending,
                                  Message response) {
    if (may_retry(context, response)) {
        Dialog* dialog = dialog_ ? &*dialog_ : early_.empty() ? nullptr : &early_.front();
        if (dialog && send_in_dialog(now, context, *dialog, pending)) return;
    }
    const Status status = response.status();
    switch (pending.purpose) {
        case Purpose::Bye:
            return;
        case Purpose::Reinvite:
            events_.emplace_back(ReinviteAnswered{std::move(response)});
            break;
        case Purpose::Other:
            if (state_ == State::Ended) return;
            events_.emplace_back(
                RequestAnswered{.request = pending.id, .response = std::move(response)});
            break;
    }
    // Sent before the ACK it may have overtaken the 2xx, and with it the dialog.
    if (pending.sent_in == State::Accepted && status == status::CallOrTransactionDoesNotExist) {
        return;
    }
    if (status == status::RequestTimeout || status == status::CallOrTransactionDoesNotExist) {
        end(EndReason::PeerGone, std::nullopt);
    }
}

// RFC 3261 Section 22.3. DigestClient knows whether this is the first time.
bool Call::may_retry(AgentContext context, const Message& response) {
    if (response.status() == status::Unauthorized &&
        context.config.peer_challenges == PeerChallenges::Ignore) {
        return false;
    }
    return digest_ && digest_->handle_challenge(response) == DigestClient::Outcome::Retry;
}

void Call::handle_failure(Instant, AgentContext, ClientTransactionId transaction,
                          ClientFailure failure) {
    if (transaction == invite_transaction_) {
        invite_transaction_.reset();
        if (state_ == State::Cancelling) {
            end(EndReason::LocalCancel, std::nullopt);
        } else {
            end(failure == ClientFailure::TimedOut ? EndReason::TimedOut
                                                   : EndReason::TransportFailed,
                std::nullopt);
        }
        return;
    }
    const auto found = pending_.find(transaction);
    if (found == pending_.end()) return;
    const Pending pending = std::move(found->second);
    pending_.erase(found);
    if (transaction == reinvite_transaction_) reinvite_transaction_.reset();
    if (state_ == State::Ended) return;
    switch (pending.purpose) {
        case Purpose::Bye:
            return;
        case Purpose::Reinvite:
            events_.emplace_back(ReinviteFailed{failure});
            break;
        case Purpose::Other:
            events_.emplace_back(RequestFailed{.request = pending.id, .failure = failure});
            break;
    }
    // A flow that broke can be replaced; a peer that is silent for 64 * T1 is gone. RFC 3261
    // Section 12.2.1.2.
    if (failure == ClientFailure::TimedOut) end(EndReason::PeerGone, std::nullopt);
}

void Call::handle_invite_ended(ClientTransactionId transaction) {
    if (transaction == invite_transaction_) {
        invite_transaction_.reset();
        if (state_ == State::Ended) acks_.clear();
        return;
    }
    pending_.erase(transaction);
    if (transaction == reinvite_transaction_) reinvite_transaction_.reset();
}

void Call::handle_flow_closed(Instant, AgentContext, FlowId flow) {
    // A caller's INVITE fails by its transaction. An established call outlives its flow.
    if (flow == flow_ && state_ == State::Incoming) {
        end(EndReason::TransportFailed, std::nullopt);
    }
}

void Call::handle_timeout(Instant now, AgentContext context) {
    if (timers_.take_expired(Timer::Ring, now)) {
        if (role_ == Role::Caller) {
            (void)cancel(now, context, "SIP;cause=408;text=\"Request Timeout\"");
        } else {
            (void)reject(now, context, status::TemporarilyUnavailable, {});
        }
    }
    if (timers_.take_expired(Timer::GiveUp, now)) {
        // RFC 3261 Section 13.3.1.4: confirmed, but the session should end.
        timers_.clear(Timer::Retransmit);
        unacknowledged_.reset();
        send_bye(now, context, bye_wanted_.value_or(std::vector<HeaderLine>{}));
        bye_wanted_.reset();
        end(EndReason::NotAcknowledged, std::nullopt);
    }
    if (timers_.take_expired(Timer::Retransmit, now) && unacknowledged_) {
        context.layer.respond(now, unacknowledged_->transaction, unacknowledged_->response);
        unacknowledged_->interval =
            std::min(unacknowledged_->interval * 2, context.config.timers.t2);
        timers_.set(Timer::Retransmit, now + unacknowledged_->interval);
    }
}

}  // namespace stile::sip
