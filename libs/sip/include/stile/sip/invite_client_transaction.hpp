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

// The client side of an INVITE, RFC 3261 Section 17.1.1 as amended by RFC 6026 Figure 5:
//
//   Calling --1xx--> Proceeding --2xx--> Accepted --M--> Terminated
//      |  \___________2xx____________/^
//      +--300-699--> Completed --D--> Terminated      (Proceeding likewise; B or an error ends it)
//
// Responses are classified by the caller, who matched them and keeps them.
class InviteClientTransaction {
public:
    enum class State : std::uint8_t { Calling, Proceeding, Accepted, Completed, Terminated };
    struct TimedOut {};  // timer B: nothing came back
    using Event = std::variant<TimedOut, TransportFailed>;

    // The request leaves at once.
    InviteClientTransaction(Instant now, Bytes request, Reliability reliability,
                            const TransactionTimers& timers);

    // Absorbed: not for the user. Deliver: for the user. Acknowledge: for the user, and the caller
    // must hand in the ACK of RFC 3261 Section 17.1.1.3 next.
    [[nodiscard]] Disposition handle_response(Instant now, ResponseClass response);
    // Requires: the last handle_response returned Acknowledge.
    void acknowledge(Bytes ack);
    void handle_transport_error(Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<BytesView> poll_transmit();  // valid until the next non-const call
    [[nodiscard]] std::optional<Event> poll_event();         // at most one in a lifetime
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    State state() const { return state_; }
    // The request as sent, valid as long as the transaction.
    BytesView request() const { return request_; }

private:
    // The names of RFC 3261 Table 4. A: request again. B: give up. D, M: linger.
    enum class Timer : std::uint8_t { A, B, D, M, count };
    enum class Due : std::uint8_t { Nothing, Request, Ack };

    void enter_completed(Instant now);
    void finish(std::optional<Event> event);

    Bytes request_;
    Bytes ack_;
    Reliability reliability_;
    TransactionTimers timing_;
    Duration interval_;
    State state_ = State::Calling;
    Due due_ = Due::Request;
    TimerTable<Timer> timers_;
    std::optional<Event> event_;
};

}  // namespace stile::sip
