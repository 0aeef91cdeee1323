// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/limits.hpp>

#include <cstddef>

namespace stile::connect::limits {

// Sockets that host candidates are made of: a machine with eight addresses, twice.
inline constexpr std::size_t most_hosts = 16;

// STUN servers, and TURN servers, asked from each socket. More find nothing that two do not.
inline constexpr std::size_t most_servers = 4;

// Ports that routers keep open: two gateways a socket.
inline constexpr std::size_t most_mapped_ports = 2 * most_hosts;

// How long a source of candidates may take before gathering is called complete without it. What it
// finds later is still used. Nothing waits for this: candidates are told as they come.
inline constexpr Duration source_deadline = std::chrono::seconds{5};

// Datagrams not yet fetched by poll_transmit; later ones are lost, as on any full network queue.
inline constexpr std::size_t most_queued_transmits = 256;

// Addresses that relays are asked to admit, one a remote candidate that ICE may keep.
inline constexpr std::size_t most_peers = ice::limits::most_remote_candidates;

// Checks that wait for a permission at one relay: one a remote candidate that ICE knows.
inline constexpr std::size_t most_held = 64;

// Events not yet fetched; they are few, and route() and local_description() tell what is so now.
inline constexpr std::size_t most_queued_events = 256;

}  // namespace stile::connect::limits
