// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/invite_client_transaction.hpp>

#include <stile/base/assert.hpp>

#include <utility>

namespace stile::sip {

static_assert(Machine<InviteClientTransaction>);

InviteClientTransaction::InviteClientTransaction(Instant now, Bytes request,
                                                 Reliability reliability,
                                                 const TransactionTimers& timers)
    : request_(std::move(request)),
      reliability_(reliability),
      timing_(timers),
      interval_(timers.t1) {
    STILE_ASSERT(!request_.empty());
    if (reliability_ == Reliability::Unreliable) timers_.set(Timer::A, now + interval_);
    timers_.set(Timer::B, now + timing_.transaction_lifetime());
}

Disposition InviteClientTransaction::handle_response(Instant now, ResponseClass response) {
    switch (state_) {
        case State::Calling:
        case State::Proceeding:
            // Any response ends the retransmission, and with it the wait of timer B. What bounds
            // Proceeding is the user's business: a proxy's timer C, a person's patience.
            timers_.clear();
            switch (response) {
                case ResponseClass::Provisional:
                    state_ = State::Proceeding;
                    return Disposition::Deliver;
                case ResponseClass::Success:
                    state_ = State::Accepted;
                    timers_.set(Timer::M, now + timing_.transaction_lifetime());
                    return Disposition::Deliver;
                case ResponseClass::Failure:
                    enter_completed(now);
                    return Disposition::Acknowledge;
            }
            break;
        case State::Accepted:
            return response == ResponseClass::Success ? Disposition::Deliver
                                                      : Disposition::Absorbed;
        case State::Completed:
            if (response == ResponseClass::Failure && !ack_.empty()) due_ = Due::Ack;
            return Disposition::Absorbed;
        case State::Terminated:
            return Disposition::Absorbed;
    }
    return Disposition::Absorbed;
}

void InviteClientTransaction::enter_completed(Instant now) {
    state_ = State::Completed;
    // Zero on a reliable transport: it ends as soon as the ACK has left.
    timers_.set(Timer::D, reliability_ == Reliability::Reliable ? now : now + timing_.d);
}

void InviteClientTransaction::acknowledge(Bytes ack) {
    STILE_ASSERT(state_ == State::Completed);
    STILE_ASSERT(ack_.empty());
    ack_ = std::move(ack);
    due_ = Due::Ack;
}

void InviteClientTransaction::handle_transport_error(Instant) {
    switch (state_) {
        case State::Calling:
        case State::Proceeding:
        case State::Completed:
            finish(TransportFailed{});
            return;
        case State::Accepted:  // nothing is sent; the answer has come
        case State::Terminated:
            return;
    }
}

void InviteClientTransaction::handle_timeout(Instant now) {
    if (timers_.take_expired(Timer::B, now)) {
        finish(TimedOut{});
        return;
    }
    if (timers_.take_expired(Timer::A, now)) {
        // From now, not from the old deadline: a driver that wakes late sends once, not a burst.
        interval_ *= 2;
        timers_.set(Timer::A, now + interval_);
        due_ = Due::Request;
    }
    if (timers_.take_expired(Timer::D, now) || timers_.take_expired(Timer::M, now)) {
        // The ACK may not have been polled yet when timer D is zero: it still leaves.
        state_ = State::Terminated;
        timers_.clear();
    }
}

void InviteClientTransaction::finish(std::optional<Event> event) {
    state_ = State::Terminated;
    timers_.clear();
    due_ = Due::Nothing;
    event_ = event;
}

std::optional<BytesView> InviteClientTransaction::poll_transmit() {
    switch (std::exchange(due_, Due::Nothing)) {
        case Due::Nothing:
            return std::nullopt;
        case Due::Request:
            return request_;
        case Due::Ack:
            return ack_;
    }
    return std::nullopt;
}

std::optional<InviteClientTransaction::Event> InviteClientTransaction::poll_event() {
    return std::exchange(event_, std::nullopt);
}

std::optional<Instant> InviteClientTransaction::poll_timeout() const { return timers_.next(); }

}  // namespace stile::sip
