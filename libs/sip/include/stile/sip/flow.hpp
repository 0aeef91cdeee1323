// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <compare>

namespace stile::sip {

// A connection, or a UDP socket together with one remote address: whatever lets a message reach one
// neighbour and its answer come back. RFC 5626 Section 2. The driver makes the numbers, never uses
// one twice, and says when a flow opens and closes; the machines only compare them.
struct FlowId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(FlowId, FlowId) = default;
};

// RFC 3261 Section 18 and RFC 7118.
enum class TransportKind : std::uint8_t { Udp, Tcp, Tls, Ws, Wss };

// Whether the transport retransmits by itself. RFC 3261 Section 17.
enum class Reliability : std::uint8_t { Unreliable, Reliable };

constexpr bool is_reliable(TransportKind kind) { return kind != TransportKind::Udp; }
constexpr Reliability reliability(TransportKind kind) {
    return is_reliable(kind) ? Reliability::Reliable : Reliability::Unreliable;
}

// Whether nobody on the way to the neighbour can read or change what is sent.
constexpr bool is_secure(TransportKind kind) {
    return kind == TransportKind::Tls || kind == TransportKind::Wss;
}

// Octets for the driver to write to a flow: one datagram, one WebSocket message, or a stretch of a
// stream.
struct Outgoing {
    FlowId flow;
    Bytes bytes;
};

}  // namespace stile::sip
