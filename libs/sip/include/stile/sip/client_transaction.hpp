// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/timer_table.hpp>
#include <stile/sip/flow.hpp>
#include <stile/sip/transaction_timers.hpp>

#include <optional>
#include <variant>

namespace stile::sip {

// The client side of every request but INVITE and ACK, RFC 3261 Section 17.1.2:
//
//   Trying --1xx--> Proceeding --200-699--> Completed --K--> Terminated
//      \_______200-699______________________/^     (F or a transport error ends it before)
class ClientTransaction {
public:
    enum class State : std::uint8_t { Trying, Proceeding, Completed, Terminated };
    struct TimedOut {};  // timer F: no final response
    using Event = std::variant<TimedOut, TransportFailed>;

    // The request leaves at once.
    ClientTransaction(Instant now, Bytes request, Reliability reliability,
                      const TransactionTimers& timers);

    // Deliver or Absorbed, never Acknowledge.
    [[nodiscard]] Disposition handle_response(Instant now, ResponseClass response);
    void handle_transport_error(Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<BytesView> poll_transmit();  // valid until the next non-const call
    [[nodiscard]] std::optional<Event> poll_event();         // at most one in a lifetime
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    State state() const { return state_; }
    // The request as sent, valid as long as the transaction.
    BytesView request() const { return request_; }

private:
    // The names of RFC 3261 Table 4. E: request again. F: give up. K: linger.
    enum class Timer : std::uint8_t { E, F, K, count };

    void finish(std::optional<Event> event);

    Bytes request_;
    Reliability reliability_;
    TransactionTimers timing_;
    Duration interval_;
    State state_ = State::Trying;
    bool transmit_due_ = true;
    TimerTable<Timer> timers_;
    std::optional<Event> event_;
};

}  // namespace stile::sip
