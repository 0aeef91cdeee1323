// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstdint>

namespace stile::sip {

// The three numbers from which RFC 3261 Table 4 makes its timers, and timer D, which has a floor of
// its own because the client does not know the server's T1 (RFC 6026 Section 8.4).
struct TransactionTimers {
    Duration t1 = std::chrono::milliseconds{500};  // round trip estimate
    Duration t2 = std::chrono::seconds{4};         // longest interval between retransmissions
    Duration t4 = std::chrono::seconds{5};         // longest time a message stays in the network
    Duration d = std::chrono::seconds{32};         // wait for retransmitted final responses

    // Timers B, F, H, J, L and M.
    constexpr Duration transaction_lifetime() const { return t1 * 64; }
};

// How soon an INVITE must be answered by anything at all, else 100 is sent. RFC 3261
// Section 17.2.1.
inline constexpr Duration trying_after = std::chrono::milliseconds{200};

// What a transaction needs to know of a response: 1xx, 2xx, or 300 to 699.
enum class ResponseClass : std::uint8_t { Provisional, Success, Failure };

// Requires: 100 <= status_code <= 699.
constexpr ResponseClass response_class(int status_code) {
    if (status_code < 200) return ResponseClass::Provisional;
    return status_code < 300 ? ResponseClass::Success : ResponseClass::Failure;
}

// What becomes of a message that was given to a transaction.
enum class Disposition : std::uint8_t {
    Absorbed,     // a retransmission, or too late: the transaction user does not see it
    Deliver,      // for the transaction user
    Acknowledge,  // for the transaction user, and acknowledge() must be called with its ACK
};

// The network said that a message could not be sent, or the flow closed. RFC 3261 Section 17.1.4.
struct TransportFailed {};

}  // namespace stile::sip
