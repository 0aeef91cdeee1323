// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/sip/transport_kind.hpp>
#include <stile/sip/via.hpp>

#include <compare>

namespace stile::sip {

// A connection, or a UDP socket together with one remote address: whatever lets a message reach one
// neighbour and its answer come back. RFC 5626 Section 2. The driver makes the numbers, never uses
// one twice, and says when a flow opens and closes; the machines only compare them.
struct FlowId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(FlowId, FlowId) = default;
};

// Whether the transport retransmits by itself. RFC 3261 Section 17.
enum class Reliability : std::uint8_t { Unreliable, Reliable };

constexpr Reliability reliability(TransportKind kind) {
    return is_reliable(kind) ? Reliability::Reliable : Reliability::Unreliable;
}

// What a driver tells of a flow when it opens. For UDP a flow begins with the first datagram from
// an address that has none, or with the wish to send there.
struct Flow {
    FlowId id;
    TransportKind transport = TransportKind::Udp;
    SocketAddress remote;  // RFC 3261 Section 18.2.1: what `received` and `rport` are compared with
    SentBy sent_by;        // what our Via and Contact say on this flow
};

// Octets for the driver to write to a flow: one datagram, one WebSocket message, or a stretch of a
// stream.
struct Outgoing {
    FlowId flow;
    Bytes bytes;
};

}  // namespace stile::sip
