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
// Who opens the connection of a TCP candidate: this side, the peer, or both at once. RFC 6544
// Section 3.
enum class TcpType : std::uint8_t { Active, Passive, SimultaneousOpen };
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

// A transport, and of TCP how its connections come about.
struct Protocol {
    Transport transport = Transport::Udp;
    std::optional<TcpType> tcp_type;  // of TCP, and of TCP only
    friend constexpr bool operator==(const Protocol&, const Protocol&) = default;
};

// The port of an active candidate, which has none yet. RFC 6544 Section 4.5.
inline constexpr Port discard_port{9};

// What two peers tell each other about a transport address. RFC 8445 Section 5.3.
struct Candidate {
    CandidateType type = CandidateType::Host;
    ComponentId component;
    Transport transport = Transport::Udp;
    SocketAddress address;
    // Where checks from it leave: the socket for host and reflexive candidates, `address` itself
    // for relayed ones. Of a remote candidate it is not known, and equal to `address`. Of an active
    // TCP candidate, local or remote, only the IP address means something: the port is
    // discard_port. A relayed one has its relay's port in the base: connections leave from there.
    SocketAddress base;
    std::optional<SocketAddress> related;  // for diagnostics; absent where it is kept private
    std::uint32_t priority = 0;
    std::string foundation;
    std::optional<TcpType> tcp_type;  // of TCP, and of TCP only
    Protocol protocol() const { return {.transport = transport, .tcp_type = tcp_type}; }
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
    // and component, so that they rank in the order in which they were added. For TCP it is the
    // other-pref of RFC 6544 Section 4.2, at most limits::most_other_preference.
    std::optional<std::uint16_t> local_preference;
    Protocol protocol;
};

// A host candidate at a socket's address.
GatheredCandidate host_candidate(SocketAddress socket, ComponentId component = {});

// A TCP host candidate: at a listening socket's address, or for Active on its interface, whatever
// the port. RFC 6544 Section 5.1.
GatheredCandidate tcp_host_candidate(SocketAddress socket, TcpType type,
                                     ComponentId component = {});

// What a TCP allocation of a TURN server gives, Passive or Active: RFC 6544 Section 5.5.
GatheredCandidate tcp_relayed_candidate(SocketAddress relayed, TcpType type,
                                        ComponentId component = {});

// Whether candidates of the two are paired: UDP with UDP, and TCP by the table of RFC 6544 Section
// 6.2. The pairs of passive local candidates are pruned; their checks go back where the peer's came
// from.
bool can_pair(const Protocol& local, const Protocol& remote);

// Whether checks may go between the two. Families are equal; link-local IPv6 meets link-local only
// (RFC 8445 Section 6.1.2.2), and so does loopback: no peer can aim checks at this host's own
// services unless it was given a loopback candidate.
bool can_pair(const SocketAddress& local_base, const SocketAddress& remote);

// Whether a datagram can be sent there at all: a port, and a unicast address.
bool is_usable(const SocketAddress& address);

}  // namespace stile::ice
