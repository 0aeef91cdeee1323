// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/server_transaction.hpp>

#include <utility>

namespace stile::sip {

static_assert(Machine<ServerTransaction>);

ServerTransaction::ServerTransaction(Instant, Reliability reliability,
                                     const TransactionTimers& timers)
    : reliability_(reliability), timing_(timers) {}

void ServerTransaction::handle_retransmission(Instant) {
    switch (state_) {
        case State::Trying:
        case State::Terminated:
            return;
        case State::Proceeding:
        case State::Completed:
            transmit_due_ = true;
            return;
    }
}

void ServerTransaction::respond(Instant now, ResponseClass response, Bytes wire) {
    switch (state_) {
        case State::Trying:
        case State::Proceeding:
            response_ = std::move(wire);
            transmit_due_ = true;
            if (response == ResponseClass::Provisional) {
                state_ = State::Proceeding;
            } else if (reliability_ == Reliability::Reliable) {
                state_ = State::Terminated;  // timer J is zero
            } else {
                state_ = State::Completed;
                timer_j_ = now + timing_.transaction_lifetime();
            }
            return;
        case State::Completed:
        case State::Terminated:
            return;
    }
}

void ServerTransaction::abandon() {
    state_ = State::Terminated;
    timer_j_.reset();
    transmit_due_ = false;
}

void ServerTransaction::handle_transport_error(Instant) {
    if (state_ != State::Terminated) event_ = TransportFailed{};
}

void ServerTransaction::handle_timeout(Instant now) {
    if (!timer_j_ || now < *timer_j_) return;
    timer_j_.reset();
    state_ = State::Terminated;
}

std::optional<BytesView> ServerTransaction::poll_transmit() {
    if (!std::exchange(transmit_due_, false)) return std::nullopt;
    return response_;
}

std::optional<ServerTransaction::Event> ServerTransaction::poll_event() {
    return std::exchange(event_, std::nullopt);
}

}  // namespace stile::sip
