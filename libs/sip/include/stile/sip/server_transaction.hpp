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

// The server side of every request but INVITE and ACK, RFC 3261 Section 17.2.2:
//
//   Trying --1xx--> Proceeding --200-699--> Completed --J--> Terminated
//      \_______200-699______________________/^
//
// RFC 4320 Section 4 forbids the user every provisional response but a late 100, and 408.
class ServerTransaction {
public:
    enum class State : std::uint8_t { Trying, Proceeding, Completed, Terminated };
    using Event = std::variant<TransportFailed>;

    ServerTransaction(Instant now, Reliability reliability, const TransactionTimers& timers);

    // The request again: answered with the last response, if there is one.
    void handle_retransmission(Instant now);
    // A response of the user's; one that comes after a final response is dropped.
    void respond(Instant now, ResponseClass response, Bytes wire);
    // There will be no response: it would come too late for the client. RFC 4320 Section 4.2.
    void abandon();
    // Tells the user and changes nothing: RFC 6026 Section 8.8.
    void handle_transport_error(Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<BytesView> poll_transmit();  // valid until the next non-const call
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return timer_j_; }

    State state() const { return state_; }

private:
    Bytes response_;  // the last one sent; empty before
    Reliability reliability_;
    TransactionTimers timing_;
    State state_ = State::Trying;
    bool transmit_due_ = false;
    std::optional<Instant> timer_j_;  // linger for retransmitted requests
    std::optional<Event> event_;
};

}  // namespace stile::sip
