// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip/call.hpp>
#include <stile/sip/user_agent_limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

Call::Call(Instant now, AgentContext context, InviteRequest request)
    : Call(context, Role::Caller, request.flow) {
    call_id_ = random_token(context.random);
    sequence_ = context.random.u32() & 0xFFFFU;
    asked_ = std::move(request);
    timers_.set(Timer::Ring, now + most_ringing);
    if (!send_invite(now, context)) end(EndReason::TransportFailed, std::nullopt);
}

bool Call::send_invite(Instant now, AgentContext context) {
    if (!context.layer.find_flow(flow_)) return false;
    NameAddr from = context.config.address;
    from.set_tag(local_tag_);
    MessageBuilder builder = MessageBuilder::request(Method::Invite, asked_->target);
    builder.add(context.layer.make_via(flow_)).add(HeaderName::MaxForwards, "70");
    for (const NameAddr& hop : asked_->route) builder.add(HeaderName::Route, hop);
    builder.add(HeaderName::From, from)
        .add(HeaderName::To, NameAddr{.uri = asked_->target})
        .add(HeaderName::CallId, call_id_)
        .add(CSeq{.number = ++sequence_, .method = Method::Invite})
        .add(contact(context, flow_, ContactUse::Dialog));
    add_capabilities(context, builder);
    add_software(context, builder, HeaderName::UserAgent);
    add_credentials(builder, digest_ ? &*digest_ : nullptr, "INVITE", asked_->target.to_string(),
                    asked_->body);
    add_lines(builder, asked_->headers, asked_->body);
    invite_ = builder.build();
    const auto sent = context.layer.send_request(now, flow_, *invite_);
    if (!sent) return false;
    invite_transaction_ = *sent;
    started_.push_back(*sent);
    return true;
}

Call::Result Call::cancel(Instant now, AgentContext context, std::string_view reason) {
    if (state_ != State::Calling && state_ != State::Proceeding) {
        return std::unexpected(CommandError::WrongState);
    }
    state_ = State::Cancelling;
    timers_.clear(Timer::Ring);
    if (invite_transaction_) context.layer.cancel(now, *invite_transaction_, reason);
    return {};
}

void Call::handle_invite_response(Instant now, AgentContext context, Message response) {
    const Status status = response.status();
    if (status.is_provisional()) {
        handle_progress(std::move(response));
        return;
    }
    if (status.is_success()) {
        handle_accept(now, context, std::move(response));
        return;
    }
    // The transaction has acknowledged it and lingers by itself.
    invite_transaction_.reset();
    early_.clear();
    if (state_ == State::Cancelling) {
        end(EndReason::LocalCancel, std::move(response));
        return;
    }
    if (status == status::ProxyAuthenticationRequired || status == status::Unauthorized) {
        if (may_retry(context, response) && send_invite(now, context)) return;
        end(EndReason::Unauthorized, std::move(response));
        return;
    }
    end(EndReason::Rejected, std::move(response));
}

void Call::handle_progress(Message response) {
    if (state_ == State::Calling) state_ = State::Proceeding;
    if (state_ != State::Proceeding || response.status() == status::Trying) return;
    const auto to = response.to();
    if (to && to->tag() && early_.size() < most_early_dialogs &&
        std::ranges::none_of(early_, [&](const Dialog& d) { return d.owns_response(response); })) {
        if (auto dialog = Dialog::of_uac(*invite_, response)) early_.push_back(*std::move(dialog));
    }
    events_.emplace_back(Progress{std::move(response)});
}

// RFC 3261 Section 13.2.2.4.
void Call::handle_accept(Instant now, AgentContext context, Message response) {
    if (dialog_ && dialog_->owns_response(response)) {
        const auto cseq = response.cseq();
        const auto ack = cseq ? acks_.find(cseq->number) : acks_.end();
        if (ack != acks_.end()) context.layer.send(flow_, Bytes{ack->second});
        return;
    }
    const bool wanted = !dialog_ && (state_ == State::Calling || state_ == State::Proceeding);
    if (!wanted) {
        hang_up_fork(now, context, response);
        if (state_ == State::Cancelling) end(EndReason::LocalCancel, std::move(response));
        return;
    }
    const auto early =
        std::ranges::find_if(early_, [&](const Dialog& d) { return d.owns_response(response); });
    if (early != early_.end() && early->confirm(response)) {
        dialog_ = std::move(*early);
    } else if (auto dialog = Dialog::of_uac(*invite_, response)) {
        dialog_ = *std::move(dialog);
    } else {
        end(EndReason::BadAnswer, std::move(response));
        return;
    }
    early_.clear();
    dialog_->note_local_sequence(sequence_);
    timers_.clear(Timer::Ring);
    state_ = State::Established;
    context.layer.send(flow_, make_ack(context, *dialog_, response));
    events_.emplace_back(Answered{std::move(response)});
}

// Another branch answered, or it answered too late: acknowledge and end it. The repetition of such
// a 2xx gets the same ACK.
void Call::hang_up_fork(Instant now, AgentContext context, const Message& response) {
    const auto to = response.to();
    if (!to) return;
    const std::string tag{to->tag().value_or("")};
    for (const Fork& fork : forks_) {
        if (fork.remote_tag == tag) {
            context.layer.send(flow_, Bytes{fork.ack});
            return;
        }
    }
    if (forks_.size() >= most_answered_forks || !context.layer.find_flow(flow_)) return;
    auto dialog = Dialog::of_uac(*invite_, response);
    if (!dialog) return;
    dialog->note_local_sequence(sequence_);
    Bytes ack = make_ack(context, *dialog, response);
    context.layer.send(flow_, Bytes{ack});
    forks_.push_back(Fork{.remote_tag = tag, .ack = std::move(ack)});
    (void)send_in_dialog(now, context, *dialog,
                         Pending{.purpose = Purpose::Bye, .id = {}, .method = "BYE", .parts = {}});
}

// RFC 3261 Section 13.2.2.4: with the credentials of its INVITE, and remembered for repetitions.
Bytes Call::make_ack(AgentContext context, const Dialog& dialog, const Message& response) {
    const auto cseq = response.cseq();
    if (!cseq || !context.layer.find_flow(flow_)) return {};
    MessageBuilder builder = dialog.ack(cseq->number, context.layer.make_via(flow_));
    builder.copy(*invite_, HeaderName::Authorization)
        .copy(*invite_, HeaderName::ProxyAuthorization);
    Bytes ack = builder.serialize();
    if (dialog_ && &dialog == &*dialog_) {
        acks_[cseq->number] = ack;
        if (acks_.size() > 2) acks_.erase(acks_.begin());
    }
    return ack;
}

}  // namespace stile::sip
