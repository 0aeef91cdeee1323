// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/invite_server_transaction.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

static_assert(Machine<InviteServerTransaction>);

InviteServerTransaction::InviteServerTransaction(Instant now, Bytes trying, Reliability reliability,
                                                 const TransactionTimers& timers)
    : trying_(std::move(trying)), reliability_(reliability), timing_(timers), interval_(timers.t1) {
    if (!trying_.empty()) timers_.set(Timer::Trying, now + trying_after);
}

void InviteServerTransaction::handle_retransmission(Instant) {
    switch (state_) {
        case State::Proceeding:
        case State::Completed:
            transmit_due_ = !response_.empty();
            return;
        case State::Accepted:  // the user retransmits the 2xx by itself
        case State::Confirmed:
        case State::Terminated:
            return;
    }
}

Disposition InviteServerTransaction::handle_ack(Instant now) {
    switch (state_) {
        case State::Accepted:
            return Disposition::Deliver;
        case State::Completed:
            timers_.clear();
            transmit_due_ = false;
            if (reliability_ == Reliability::Reliable) {
                state_ = State::Terminated;
            } else {
                state_ = State::Confirmed;
                timers_.set(Timer::I, now + timing_.t4);
            }
            return Disposition::Absorbed;
        case State::Proceeding:
        case State::Confirmed:
        case State::Terminated:
            return Disposition::Absorbed;
    }
    return Disposition::Absorbed;
}

void InviteServerTransaction::respond(Instant now, ResponseClass response, Bytes wire) {
    switch (state_) {
        case State::Proceeding:
            timers_.clear(Timer::Trying);
            send(std::move(wire));
            switch (response) {
                case ResponseClass::Provisional:
                    return;
                case ResponseClass::Success:
                    state_ = State::Accepted;
                    timers_.set(Timer::L, now + timing_.transaction_lifetime());
                    return;
                case ResponseClass::Failure:
                    state_ = State::Completed;
                    if (reliability_ == Reliability::Unreliable) {
                        timers_.set(Timer::G, now + interval_);
                    }
                    timers_.set(Timer::H, now + timing_.transaction_lifetime());
                    return;
            }
            return;
        case State::Accepted:
            if (response == ResponseClass::Success) send(std::move(wire));
            return;
        case State::Completed:
        case State::Confirmed:
        case State::Terminated:
            return;
    }
}

void InviteServerTransaction::handle_transport_error(Instant) {
    if (state_ != State::Terminated) event_ = TransportFailed{};
}

void InviteServerTransaction::handle_timeout(Instant now) {
    if (timers_.take_expired(Timer::Trying, now)) send(std::exchange(trying_, {}));
    if (timers_.take_expired(Timer::H, now)) {
        state_ = State::Terminated;
        timers_.clear();
        transmit_due_ = false;
        event_ = AckTimedOut{};
        return;
    }
    if (timers_.take_expired(Timer::G, now)) {
        interval_ = std::min(interval_ * 2, timing_.t2);
        timers_.set(Timer::G, now + interval_);
        transmit_due_ = true;
    }
    if (timers_.take_expired(Timer::I, now) || timers_.take_expired(Timer::L, now)) {
        state_ = State::Terminated;
        timers_.clear();
    }
}

void InviteServerTransaction::send(Bytes wire) {
    response_ = std::move(wire);
    transmit_due_ = true;
}

std::optional<BytesView> InviteServerTransaction::poll_transmit() {
    if (!std::exchange(transmit_due_, false)) return std::nullopt;
    return response_;
}

std::optional<InviteServerTransaction::Event> InviteServerTransaction::poll_event() {
    return std::exchange(event_, std::nullopt);
}

std::optional<Instant> InviteServerTransaction::poll_timeout() const { return timers_.next(); }

}  // namespace stile::sip
