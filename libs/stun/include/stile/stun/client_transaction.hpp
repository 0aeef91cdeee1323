// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>
#include <variant>

namespace stile::stun {

enum class Reliability : std::uint8_t { Unreliable, Reliable };

// Retransmission over UDP; names from RFC 8489 Section 6.2.1. With the defaults a request leaves at
// 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, and the transaction gives up at 39.5 s.
struct RetransmitSchedule {
    Duration rto = std::chrono::milliseconds{500};  // first interval; doubles after each send
    std::uint32_t rc = 7;                           // requests sent in all
    std::uint32_t rm = 16;                          // last wait, in units of rto
    Reliability reliability = Reliability::Unreliable;

    // Over TCP or TLS: sent once, given up after Ti. RFC 8489 Section 6.2.2.
    static RetransmitSchedule reliable(Duration ti = std::chrono::milliseconds{39500}) {
        return {.rto = ti, .rc = 1, .rm = 1, .reliability = Reliability::Reliable};
    }
};

enum class Verdict : std::uint8_t { NotMine, Dropped, Accepted };

// One request, sent until it is answered or given up. Holds no socket, clock or random source.
class ClientTransaction {
public:
    struct Answered {
        Bytes response;                      // success or error response
        std::optional<Duration> round_trip;  // absent if retransmitted (Karn); RFC 8489 6.2.1
    };
    struct TimedOut {};
    // Answers came, but none passed the credential check. RFC 8489 Section 9.1.4.
    struct IntegrityViolated {};
    // The network said that the server cannot be reached. RFC 8489 Section 6.2.1.
    struct Unreachable {};
    using Event = std::variant<Answered, TimedOut, IntegrityViolated, Unreachable>;

    // Requires: request is a whole message of class Request; rto > 0; rc and rm are at least 1.
    ClientTransaction(Instant now, Bytes request, RetransmitSchedule schedule = {});

    // Inputs. `now` never goes backwards. handle_timeout may be called early, late or twice.
    // The caller, who has the key, judges the integrity; without credentials it is Passed.
    Verdict handle_message(Instant now, const MessageView& message, Integrity integrity);
    void handle_timeout(Instant now);
    // A hard ICMP error, or the connection is gone.
    void handle_unreachable(Instant now);
    // Sends no more, but an answer is still welcome until the moment at which an unanswered
    // transaction would have given up; then TimedOut. RFC 8445 Section 6.1.4.2 calls it cancelled.
    void stop_retransmitting(Instant now);

    // Outputs. The view lives until the next call that is not const.
    std::optional<BytesView> poll_transmit();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    TransactionId id() const { return id_; }
    BytesView request() const& { return request_; }
    BytesView request() const&& = delete;
    bool finished() const { return !deadline_; }

private:
    void finish(Event event);
    Duration wait_after_last() const { return schedule_.rto * schedule_.rm; }

    Bytes request_;
    TransactionId id_;
    RetransmitSchedule schedule_;
    Instant started_;
    Duration interval_;
    std::uint32_t sent_ = 1;  // counts the one that is due
    bool transmit_due_ = true;
    bool saw_failed_integrity_ = false;
    std::optional<Instant> deadline_;  // absent: finished
    std::optional<Event> event_;
};

}  // namespace stile::stun
