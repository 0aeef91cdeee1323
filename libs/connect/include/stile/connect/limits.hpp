// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/limits.hpp>

#include <cstddef>
#include <cstdint>

namespace stile::connect::limits {

// Sockets that host candidates are made of: a machine with eight addresses, twice.
inline constexpr std::size_t most_hosts = 16;

// STUN servers, and TURN servers, asked from each socket. More find nothing that two do not.
inline constexpr std::size_t most_servers = 4;

// The same servers over UDP, TCP and TLS.
inline constexpr std::size_t most_turn_servers = 3 * most_servers;

// Sockets that accept TCP: a passive and a simultaneous-open one at four addresses. Each makes
// candidates that are tried after all that there are over UDP, and a connection to a STUN server.
inline constexpr std::size_t most_listeners = 8;

// How long relays over UDP are waited for before a server is asked over TCP or TLS, too: the first
// retransmission of RFC 8489 Section 6.2.1. Then the next such server is tried each quarter of a
// second (RFC 8305 Section 5). Nothing else waits meanwhile.
inline constexpr Duration stream_relay_delay = std::chrono::milliseconds{500};
inline constexpr Duration next_stream_relay_delay = std::chrono::milliseconds{250};

// How long gathering is not called complete for want of what STUN servers say over TCP alone.
inline constexpr Duration stream_source_deadline = std::chrono::seconds{1};

// Local preference of a relay over a stream: below each that is over UDP, which count from the top,
// and above what TCP allocations give, the best of which has 57,343 (RFC 6544 Section 4.2).
inline constexpr std::uint16_t stream_relay_preference = 61'439;

// How long checks go on without a route before a TCP allocation is asked for, where the peer has
// candidates over TCP and others: several round trips, so that a relay over UDP, which gets through
// to whoever has one himself, or takes UDP, has had its chance. A peer that has none but over TCP
// makes it asked for at once.
inline constexpr Duration tcp_relay_patience = std::chrono::seconds{3};

// How long one server may take to give one before the next is asked: a connection, TLS and two
// requests on a slow line.
inline constexpr Duration tcp_relay_server_patience = std::chrono::seconds{2};

// Connections through it at once: an agent opens at most five to one address, and ICE needs one.
// Beyond it a peer's attempts are refused.
inline constexpr std::size_t most_relayed_connections = 16;

// How long a connection to the server may take to be open and bound: then the server closes its own
// to the peer. RFC 6062 Sections 5.2 and 5.3.
inline constexpr Duration bind_patience = std::chrono::seconds{30};

// Datagrams that came by streams and wait for poll_received: of one read of the driver's.
inline constexpr std::size_t most_queued_received = 1024;

// How far apart the ports may be that a NAT gives to two mappings in a row, for it to be counting:
// mappings of others come between. By chance two random ports are so near once in 2,000 times.
inline constexpr int most_port_distance = 16;

// Guessed ports that the peer is told: each costs it a check. The first few are as good as all, as
// long as nobody else behind the NAT opens mappings at the same time.
inline constexpr std::size_t most_guesses_a_socket = 4;
inline constexpr std::size_t most_guessed_ports = 8;
inline constexpr int least_guessed_port = 1024;

// Ports that routers keep open: two gateways a socket or listener.
inline constexpr std::size_t most_mapped_ports = 2 * (most_hosts + most_listeners);

// How long a source of candidates may take before gathering is called complete without it. What it
// finds later is still used. Nothing waits for this: candidates are told as they come.
inline constexpr Duration source_deadline = std::chrono::seconds{5};

// Between two datagrams to a relay: Tr of RFC 8445 Section 11. NATs may forget after 30 s of
// silence (docs/protocols/ice.md), so one of them may be lost.
inline constexpr Duration relay_keepalive = std::chrono::seconds{15};

// How long a relay whose socket is gone may wait for another one: as long as a peer's consent lasts
// (RFC 7675 Section 5.1), after which nobody sends to it. A server keeps it for longer.
inline constexpr Duration stranded_relay_patience = std::chrono::seconds{30};

// How long it tries to move to one socket: three requests by RFC 8489 Section 6.2.1, and a nonce
// that is refused once. Then the next socket is tried, or a new relay asked for.
inline constexpr Duration move_patience = std::chrono::seconds{2};

// How long the sources that are asked first may all be silent before the others are asked:
// nearly until they are asked again themselves (RFC 8489 Section 6.2.1).
inline constexpr Duration first_sources_patience = std::chrono::milliseconds{450};

// How long the others wait for a first route once one of the first has answered: a server that is
// gone and an interface that leads nowhere take no turn from a check that would make one.
inline constexpr Duration first_route_patience = std::chrono::milliseconds{1500};

// How long addresses that hardly lead anywhere wait for a first route by better ones: several round
// trips on a slow line, and a retransmission. It costs time only where no server's help is a way:
// with a first route, whichever, they are tried at once.
inline constexpr Duration unlikely_patience = std::chrono::seconds{3};

// Not in an RFC: pairs that such addresses may fill the checklist up to. The rest is for reflexive
// and relayed candidates that come late.
inline constexpr std::size_t most_unlikely_pairs = ice::limits::most_pairs / 2;

// Candidates with names instead of addresses that wait for their names, and how long at most: the
// driver's resolver gives up before. Then the peer's candidates are complete without them.
inline constexpr std::size_t most_named = 32;
inline constexpr Duration name_patience = std::chrono::seconds{6};

// The peer's candidates that wait so: as many as an agent would take.
inline constexpr std::size_t most_aside = ice::limits::most_remote_candidates;

// Answers for ipv4only.arpa that are looked at, two for each prefix, and prefixes taken from them.
inline constexpr std::size_t most_nat64_answers = 16;
inline constexpr std::size_t most_nat64_prefixes = 4;

// How long a NAT keeps a mapping that nothing uses, at least: RFC 4787 Section 4.3 wants two
// minutes, many have 30 s (docs/protocols/ice.md).
inline constexpr Duration reflexive_lifetime = std::chrono::seconds{25};

// Addresses of shared sockets that are remembered: each socket, as each server sees it.
inline constexpr std::size_t most_reflexive = most_hosts * most_servers;

// Datagrams not yet fetched by poll_transmit; later ones are lost, as on any full network queue.
inline constexpr std::size_t most_queued_transmits = 256;

// Addresses that relays are asked to admit, one a remote candidate that ICE may keep.
inline constexpr std::size_t most_peers = ice::limits::most_remote_candidates;

// Checks that wait for a permission at one relay: one a remote candidate that ICE knows.
inline constexpr std::size_t most_held = 64;

// Events not yet fetched; they are few, and route() and local_description() tell what is so now.
inline constexpr std::size_t most_queued_events = 256;

}  // namespace stile::connect::limits
