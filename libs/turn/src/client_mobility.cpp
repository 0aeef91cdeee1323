// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The client on the move between networks. RFC 8016.
#include <stile/turn/client.hpp>

#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>

#include <utility>

namespace stile::turn {

Client::Moving Client::move(Instant now, ClientTransport transport) {
    if (state_ != State::Allocated || !ticket_) return Moving::NoTicket;
    const auto old_path = move_ ? move_->old_path : Move::OldPath::Usable;
    move_ = Move{.transport = transport,
                 .authentication = authentication_,
                 .machine = stun::ClientTransaction{now, build_move(authentication_),
                                                    schedule_for(transport)},
                 .old_path = old_path};
    return Moving::UnderWay;
}

// RFC 8016 Section 3.2.1.
Bytes Client::build_move(const stun::LongTermClient& authentication) {
    stun::MessageBuilder builder{stun::Class::Request, stun::Method::Refresh,
                                 stun::TransactionId::random(random_)};
    if (config_.lifetime) builder.add(stun::Lifetime{*config_.lifetime});
    builder.add(stun::MobilityTicket{*ticket_});
    authentication.authenticate(builder);
    builder.add_fingerprint();
    return builder.finish();
}

std::optional<BytesView> Client::poll_move_transmit() {
    if (!move_) return std::nullopt;
    return move_->machine.poll_transmit();
}

void Client::handle_move_response(Instant now, const stun::MessageView& response) {
    const auto request = stun::MessageView::parse(move_->machine.request());
    if (!request || response.method() != stun::Method::Refresh) return;
    using Outcome = stun::LongTermClient::Outcome;
    switch (move_->authentication.handle_response(*request, response)) {
        case Outcome::Accepted:
            move_->machine.handle_message(now, response, stun::Integrity::Passed);
            return;
        case Outcome::Discarded:
            move_->machine.handle_message(now, response, stun::Integrity::Failed);
            return;
        case Outcome::Retry:
            move_->machine = stun::ClientTransaction{now, build_move(move_->authentication),
                                                     schedule_for(move_->transport)};
            return;
        case Outcome::Refused:
            return fail_move(failure_of(response));
    }
}

void Client::handle_move_unreachable(Instant now) {
    if (!move_) return;
    move_->machine.handle_unreachable(now);
    pump(now);
}

void Client::collect_move(Instant now) {
    if (!move_) return;
    const auto event = move_->machine.poll_event();
    if (!event) return;
    if (const auto* answered = std::get_if<stun::ClientTransaction::Answered>(&*event)) {
        const auto response = stun::MessageView::parse(answered->response);
        if (!response) return fail_move({.kind = FailureKind::ProtocolViolated});
        if (response->message_class() == stun::Class::SuccessResponse) {
            return on_moved(now, *response);
        }
        return fail_move(failure_of(*response));
    }
    if (std::holds_alternative<stun::ClientTransaction::TimedOut>(*event)) {
        return fail_move({.kind = FailureKind::TimedOut});
    }
    if (std::holds_alternative<stun::ClientTransaction::Unreachable>(*event)) {
        return fail_move({.kind = FailureKind::Unreachable});
    }
    fail_move({.kind = FailureKind::IntegrityViolated});
}

void Client::on_moved(Instant now, const stun::MessageView& response) {
    const auto ticket = response.get<stun::MobilityTicket>();
    // Without a new ticket there is no other move. RFC 8016 Section 3.2.2: the old one is for
    // retransmissions only.
    ticket_.reset();
    if (ticket && !ticket->octets.empty()) ticket_ = to_bytes(ticket->octets);
    authentication_ = std::move(move_->authentication);
    // ChannelData that waits is padded for the old transport.
    if (is_stream(config_.transport) != is_stream(move_->transport)) queue_.clear();
    config_.transport = move_->transport;
    move_.reset();
    const auto lifetime = response.get<stun::Lifetime>();
    set_lifetime(now, lifetime ? Duration{lifetime->value} : default_lifetime);
    // What was under way at the old 5-tuple gets no answer there any more.
    for (const Transaction& each : std::exchange(transactions_, {})) {
        if (each.task.operation != Operation::Refresh) start(now, each.task);
    }
    notify(Moved{});
}

void Client::fail_move(Failure failure) {
    const bool lost = move_->old_path == Move::OldPath::Gone;
    move_.reset();
    if (lost) return end(Expired{std::move(failure)});
    notify(MoveFailed{std::move(failure)});
}

}  // namespace stile::turn
