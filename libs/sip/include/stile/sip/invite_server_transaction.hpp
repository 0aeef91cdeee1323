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

// The server side of an INVITE, RFC 3261 Section 17.2.1 as amended by RFC 6026 Figure 7:
//
//   Proceeding --2xx--> Accepted --L--> Terminated
//      \--300-699--> Completed --ACK--> Confirmed --I--> Terminated
//                        \--H--> Terminated (AckTimedOut)
class InviteServerTransaction {
public:
    enum class State : std::uint8_t { Proceeding, Accepted, Completed, Confirmed, Terminated };
    struct AckTimedOut {};  // timer H: a final response other than 2xx was never acknowledged
    using Event = std::variant<AckTimedOut, TransportFailed>;

    // `trying` is the serialized 100 response: sent by the transaction if the user has given no
    // response trying_after the request. Empty where the user always answers sooner.
    InviteServerTransaction(Instant now, Bytes trying, Reliability reliability,
                            const TransactionTimers& timers);

    // The INVITE again: answered by the transaction, never for the user.
    void handle_retransmission(Instant now);
    // Deliver when a 2xx is acknowledged (RFC 6026 Section 7.1), otherwise Absorbed.
    [[nodiscard]] Disposition handle_ack(Instant now);
    // A response of the user's. In Accepted only 2xx leave (the user's own retransmissions); what
    // no longer fits the state is dropped.
    void respond(Instant now, ResponseClass response, Bytes wire);
    // Tells the user and changes nothing: RFC 6026 Section 7.1.
    void handle_transport_error(Instant now);
    void handle_timeout(Instant now);

    [[nodiscard]] std::optional<BytesView> poll_transmit();  // valid until the next non-const call
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    State state() const { return state_; }

private:
    // The names of RFC 3261 Table 4. Trying: send 100. G: response again. H: give up waiting for
    // the ACK. I, L: linger.
    enum class Timer : std::uint8_t { Trying, G, H, I, L, count };

    void send(Bytes wire);

    Bytes trying_;
    Bytes response_;  // the last one sent; empty before
    Reliability reliability_;
    TransactionTimers timing_;
    Duration interval_;
    State state_ = State::Proceeding;
    bool transmit_due_ = false;
    TimerTable<Timer> timers_;
    std::optional<Event> event_;
};

}  // namespace stile::sip
