// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/client_transaction.hpp>

#include <stile/base/assert.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

static_assert(Machine<ClientTransaction>);

ClientTransaction::ClientTransaction(Instant now, Bytes request, Reliability reliability,
                                     const TransactionTimers& timers)
    : request_(std::move(request)),
      reliability_(reliability),
      timing_(timers),
      interval_(timers.t1) {
    STILE_ASSERT(!request_.empty());
    if (reliability_ == Reliability::Unreliable) timers_.set(Timer::E, now + interval_);
    timers_.set(Timer::F, now + timing_.transaction_lifetime());
}

Disposition ClientTransaction::handle_response(Instant now, ResponseClass response) {
    switch (state_) {
        case State::Trying:
        case State::Proceeding:
            if (response == ResponseClass::Provisional) {
                // Timer F goes on: a provisional response does not prolong a non-INVITE
                // transaction. Timer E goes on too; its next interval is T2.
                state_ = State::Proceeding;
                return Disposition::Deliver;
            }
            timers_.clear();
            transmit_due_ = false;
            if (reliability_ == Reliability::Reliable) {
                state_ = State::Terminated;
            } else {
                state_ = State::Completed;
                timers_.set(Timer::K, now + timing_.t4);
            }
            return Disposition::Deliver;
        case State::Completed:
        case State::Terminated:
            return Disposition::Absorbed;
    }
    return Disposition::Absorbed;
}

void ClientTransaction::handle_transport_error(Instant) {
    switch (state_) {
        case State::Trying:
        case State::Proceeding:
            finish(TransportFailed{});
            return;
        case State::Completed:
        case State::Terminated:
            return;
    }
}

void ClientTransaction::handle_timeout(Instant now) {
    if (timers_.take_expired(Timer::F, now)) {
        finish(TimedOut{});
        return;
    }
    if (timers_.take_expired(Timer::E, now)) {
        interval_ = state_ == State::Proceeding ? timing_.t2 : std::min(interval_ * 2, timing_.t2);
        // From now, not from the old deadline: a driver that wakes late sends once, not a burst.
        timers_.set(Timer::E, now + interval_);
        transmit_due_ = true;
    }
    if (timers_.take_expired(Timer::K, now)) finish(std::nullopt);
}

void ClientTransaction::finish(std::optional<Event> event) {
    state_ = State::Terminated;
    timers_.clear();
    transmit_due_ = false;
    event_ = event;
}

std::optional<BytesView> ClientTransaction::poll_transmit() {
    if (!std::exchange(transmit_due_, false)) return std::nullopt;
    return request_;
}

std::optional<ClientTransaction::Event> ClientTransaction::poll_event() {
    return std::exchange(event_, std::nullopt);
}

std::optional<Instant> ClientTransaction::poll_timeout() const { return timers_.next(); }

}  // namespace stile::sip
