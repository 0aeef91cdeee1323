// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace stile::ice {

enum class CandidateType : std::uint8_t { Host, ServerReflexive, PeerReflexive, Relayed };
enum class Transport : std::uint8_t { Udp, Tcp };
enum class Role : std::uint8_t { Controlling, Controlled };
enum class Side : std::uint8_t { Local, Remote };

constexpr Role opposite(Role role) {
    return role == Role::Controlling ? Role::Controlled : Role::Controlling;
}

// One piece of a data stream with a transport address of its own. RFC 8445 Section 5.1.1.1: 1 is
// RTP, or the only one; 2 is RTCP.
struct ComponentId {
    std::uint16_t value = 1;
    friend constexpr auto operator<=>(ComponentId, ComponentId) = default;
};

// What two peers tell each other about a transport address. RFC 8445 Section 5.3.
struct Candidate {
    CandidateType type = CandidateType::Host;
    ComponentId component;
    Transport transport = Transport::Udp;
    SocketAddress address;
    // Where checks from it leave: the socket for host and reflexive candidates, `address` itself
    // for relayed ones. Of a remote candidate it is not known, and equal to `address`.
    SocketAddress base;
    std::optional<SocketAddress> related;  // for diagnostics; absent where it is kept private
    std::uint32_t priority = 0;
    std::string foundation;
    friend bool operator==(const Candidate&, const Candidate&) = default;
};

// A local candidate as a gatherer found it; its priority and foundation are the agent's to compute.
struct GatheredCandidate {
    CandidateType type = CandidateType::Host;
    SocketAddress address;
    SocketAddress base;  // the socket it was gathered from; `address` for host and relayed ones
    ComponentId component;
    std::optional<SocketAddress> related;
    std::optional<IpAddress> server;  // the STUN or TURN server; RFC 8445 Section 5.1.1.3
    // RFC 8445 Section 5.1.2.1. Absent: the highest not yet taken among the candidates of this type
    // and component, so that they rank in the order in which they were added.
    std::optional<std::uint16_t> local_preference;
};

// A host candidate at a socket's address.
GatheredCandidate host_candidate(SocketAddress socket, ComponentId component = {});

// Whether checks may go between the two. Families are equal; link-local IPv6 meets link-local only
// (RFC 8445 Section 6.1.2.2), and so does loopback: no peer can aim checks at this host's own
// services unless it was given a loopback candidate.
bool can_pair(const SocketAddress& local_base, const SocketAddress& remote);

// Whether a datagram can be sent there at all: a port, and a unicast address.
bool is_usable(const SocketAddress& address);

}  // namespace stile::ice
