// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/topology.hpp>

#include <optional>
#include <string_view>

namespace stile::sim {

// What a path between two peers is made of; a later one is better. Over a host path packets arrive
// with the addresses that they left with; on a reflexive one something translates them. Direct over
// TCP is worse than direct over UDP, and better than any relay (RFC 6544 Section 4.2); how a peer
// reaches its relay, over UDP or a stream, makes no difference.
enum class PathKind : std::uint8_t {
    None,
    RelayedByBoth,
    RelayedByOne,
    TcpReflexive,
    TcpHost,
    Reflexive,
    Host,
};
std::string_view to_string(PathKind kind);

// What the two ends of a direct path speak; a later one is better. Translated: one IPv6, the other
// IPv4, through a NAT64.
enum class Passage : std::uint8_t { Translated, V4, V6 };
std::string_view to_string(Passage passage);

struct BestPath {
    PathKind kind = PathKind::None;
    std::optional<Passage> passage;  // of a direct path
    friend auto operator<=>(const BestPath&, const BestPath&) = default;
};

// The best UDP path that ICE (RFC 8445) can find between two hosts which both use `server` for STUN
// and, where they reach it, for a TURN relay at its first address; computed from the topology
// alone: no packet is sent, no agent runs, and nothing of Nat or World is used.
//
// Both sides know the other's host addresses and the outside addresses that the server saw, and
// send from each of their addresses to each of these; who is reached by a packet learns its source
// (a peer-reflexive address) and sends there too, from the address that was reached. A host without
// IPv4 behind a NAT64 also sends to what stands for IPv4 addresses under its prefix. What each box
// would do with such a packet follows from the definitions of RFC 4787, on symbolic ports. This is
// repeated until nothing new can be learned, or what is learned only repeats itself. A path is
// possible if then a packet reaches the other side, and an answer from there to the source it
// showed comes back from the very address the packet was sent to (RFC 8445 Section 7.2.5.2.1).
// A relay is one more endpoint that both can send to, and lets in the addresses that its owner
// knows (RFC 8656 Section 9).
//
// Not considered: loss, expiry, guessing of ports, changes during the run, and links' sizes.
// Requires: server is a host with an address on the internet.
BestPath best_udp_path(const Topology& topology, HostId left, HostId right, HostId server);

enum class Transports : std::uint8_t { UdpOnly, UdpAndTcp };

// The same, with TCP beside UDP where asked for: each side listens at two ports of each address,
// for passive and for simultaneous-open candidates (RFC 6544), and connects from any port to the
// other's passive ones, from the second port to the other's second; the server shows it the outside
// addresses of both ports over TCP. The server is a relay over UDP and TCP at port 3478, and over
// TLS at port 443. A connection is possible if a SYN reaches a port that listens, with every SYN
// before it having left its traces in the boxes, and the answer comes back. Since SYNs are repeated
// it does not matter who is first, nor whether a box answers one that it does not let in.
BestPath best_path(const Topology& topology, HostId left, HostId right, HostId server,
                   Transports transports);

// A peer that has nothing but TCP, and no server: it tells the addresses at which it listens, or
// from which it opens connections.
enum class TcpPeer : std::uint8_t { Listens, Opens };

// The best path between `side`, which has everything that best_path() with TCP gives it, and such a
// peer: direct, or by a TCP allocation of the server (RFC 6062), which connects to the peer's
// address and lets in what comes from there.
BestPath best_path_to_tcp_peer(const Topology& topology, HostId side, HostId peer, TcpPeer does,
                               HostId server);

enum class DirectPath : std::uint8_t { Possible, Impossible };
// Whether the best path is without relay.
DirectPath direct_udp_path(const Topology& topology, HostId left, HostId right, HostId stun_server);

}  // namespace stile::sim
