// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace stile::turn {

// RFC 8656 Section 7.2: the default lifetime, and the recommended maximum.
inline constexpr std::chrono::seconds default_lifetime{600};
inline constexpr std::chrono::seconds most_lifetime{3600};
// RFC 8656 Sections 9 and 12.
inline constexpr std::chrono::seconds permission_lifetime{300};
inline constexpr std::chrono::seconds channel_lifetime{600};
// RFC 8656 Section 12: how long a client leaves a channel number and a peer alone after expiry.
inline constexpr std::chrono::seconds channel_quarantine{300};
// RFC 8656 Section 7.2 asks for at least 30 seconds.
inline constexpr std::chrono::seconds reservation_lifetime{60};
// How long a driver may take to open a relay socket; the client asks for 39.5 seconds.
inline constexpr std::chrono::seconds relay_opening_time{10};

// Server: what a configuration may ask for at most. One relay is a few hundred octets here, but a
// socket in the system; a shard beyond this is better split.
inline constexpr std::size_t most_allocations = 1'000'000;
// A dual allocation has two, and a reservation may wait besides.
inline constexpr std::size_t relays_an_allocation = 3;
inline constexpr std::size_t most_relays = relays_an_allocation * most_allocations;
// All the channel numbers there are. RFC 8656 Section 12.
inline constexpr std::size_t most_channels = 4096;
// As many permissions as channels, so that every channel can have a peer of its own.
inline constexpr std::size_t most_permissions = most_channels;
// TCP connections of one allocation. Each costs two sockets.
inline constexpr std::size_t most_connections = 1024;
// And of all allocations together: more than the sockets that one process usually may have.
inline constexpr std::size_t most_connections_in_all = 500'000;
// RFC 6062 Sections 5.2 and 5.3: how long a peer may take to answer a connection, at least, and how
// long one waits for its ConnectionBind, exactly.
inline constexpr std::chrono::seconds connect_time{30};
inline constexpr std::chrono::seconds connection_bind_time{30};
// RFC 8016 Section 3.2.2: how long at least a retransmission with the old ticket is recognised.
inline constexpr std::chrono::seconds old_ticket_time{60};
// A mobile client whose connection is closed may come back from elsewhere this long.
inline constexpr std::chrono::seconds mobile_grace{60};
// RFC 7635 knows keys of 20 and 32 octets; the rest is room for longer digests.
inline constexpr std::size_t most_mac_key_octets = 64;
// What of a token's digest tells its users apart.
inline constexpr std::size_t token_owner_octets = 16;
// Authorization servers, each with an old key and a new one.
inline constexpr std::size_t most_token_keys = 64;
// Addresses of one host that relays are opened at; looked through for each unknown peer.
inline constexpr std::size_t most_relay_addresses = 64;
// Peers that one CreatePermission names: ICE agents have at most 100 pairs (RFC 8445
// Section 6.1.2.5), and stun::most_attributes ends it at about that anyway.
inline constexpr std::size_t most_peers_in_request = 100;
// Answers that wait for the driver. One input makes at most two; a driver drains after each batch.
inline constexpr std::size_t most_queued_answers = 4096;
// A relay socket wanted or closed is never forgotten: with so many events unfetched nothing new is
// allocated, and what exists can add a few each at most.
inline constexpr std::size_t most_queued_events = 65536;
// Rotation needs the old secret and the new; the rest is room for several issuers.
inline constexpr std::size_t most_shared_secrets = 8;
// Configured openings and denials of peer prefixes; each new permission looks at all of them.
inline constexpr std::size_t most_policy_prefixes = 1024;
// A network has one NAT64 prefix, or one an exit.
inline constexpr std::size_t most_nat64_prefixes = 16;
// Users without a relay whose quotas are remembered until they are whole again; a few hundred
// octets each. Who has that many names that are valid gains a burst of one for each that is pushed
// out.
inline constexpr std::size_t most_idle_users = 65'536;
// Accounts of one server process that are not time-limited.
inline constexpr std::size_t most_accounts = 1'000'000;

// A UDP payload cannot be larger. RFC 768, RFC 791 (65535 - 20 - 8).
inline constexpr std::size_t most_payload_octets = 65507;

// Client: requests under way at once; more wait. Enough for an ICE gathering burst without being a
// burst on a slow access link (RFC 8445 Section 14 paces at 50 ms).
inline constexpr std::size_t most_client_transactions = 16;
// Peers that one client remembers.
inline constexpr std::size_t most_client_permissions = 1024;
inline constexpr std::size_t most_client_channels = most_channels;
// Peers of a TCP allocation that are being connected to, or rest after a failure.
inline constexpr std::size_t most_client_connects = 256;
// Datagrams that wait for the driver. Like a socket buffer: the newest is refused.
inline constexpr std::size_t most_client_queue = 256;
inline constexpr std::size_t most_client_events = 4096;
// A nonce may go stale between any two answers; this many in a row is a broken server.
inline constexpr unsigned most_challenges = 3;

// Resolving a URI: servers to try one after the other, questions to the DNS, and NAPTR records that
// lead to the next (RFC 3958 Section 2.2.3 wants loops to be cut).
inline constexpr std::size_t most_resolved_servers = 16;
inline constexpr std::size_t most_resolution_questions = 32;
inline constexpr unsigned most_naptr_depth = 5;

static_assert(default_lifetime <= most_lifetime);
static_assert(permission_lifetime < channel_lifetime);
static_assert(most_channels <= 0x1000);
static_assert(most_client_transactions < most_client_queue);
static_assert(3 * most_client_permissions < most_client_events);

}  // namespace stile::turn
