// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/topology.hpp>

namespace stile::sim {

enum class DirectPath : std::uint8_t { Possible, Impossible };

// Whether ICE (RFC 8445) can find a UDP path without relay between two hosts, computed from the
// topology alone: no packet is sent, no agent runs, and nothing of Nat or World is used.
//
// Both sides know the other's host addresses and the outside addresses that `stun_server` saw, and
// send from each of their addresses to each of these; who is reached by a packet learns its source
// (a peer-reflexive address) and sends there too, from the address that was reached. What each box
// would do with such a packet follows from the definitions of RFC 4787, on symbolic ports. This is
// repeated until nothing new can be learned, or what is learned only repeats itself. A path is
// possible if then a packet reaches the other side, and an answer from there to the source it
// showed comes back from the very address the packet was sent to (RFC 8445 Section 7.2.5.2.1).
//
// Not considered: loss, expiry, guessing of ports, changes during the run, and links' sizes.
// Requires: stun_server is a host with an address on the internet.
DirectPath direct_udp_path(const Topology& topology, HostId left, HostId right, HostId stun_server);

}  // namespace stile::sim
