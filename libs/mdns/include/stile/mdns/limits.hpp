// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>

namespace stile::mdns::limits {

// RFC 6762 Section 17: what fits an Ethernet frame. Names of candidates need a hundred octets.
inline constexpr std::size_t most_message = 1500;

// Names that are looked for at once: a peer has one for each of its addresses, and a process some
// sessions.
inline constexpr std::size_t most_wanted = 64;
// Names that this host answers to: one for each of its addresses.
inline constexpr std::size_t most_published = 64;

// Questions, and records, of one message that are of interest; the rest is left out.
inline constexpr std::size_t most_entries = 32;

inline constexpr std::size_t most_queued_transmits = 256;
inline constexpr std::size_t most_queued_events = 128;

// RFC 6762 Section 5.2: the first two queries at least a second apart, each interval at least twice
// the one before.
inline constexpr Duration first_query_interval = std::chrono::seconds{1};
// Queries for one name in all, and how long the last is waited for: whoever is on this link has
// answered by then, and nobody waits for it but its candidate.
inline constexpr unsigned most_queries = 3;
inline constexpr Duration last_wait = std::chrono::seconds{1};

// RFC 6762 Section 10: of records that a host's name is part of.
inline constexpr std::chrono::seconds time_to_live{120};
// RFC 6762 Section 6.7: what a resolver that is not one of multicast DNS may keep.
inline constexpr std::chrono::seconds legacy_time_to_live{10};
// RFC 6762 Section 6: a record is not multicast again on a link before.
inline constexpr Duration least_response_interval = std::chrono::seconds{1};

}  // namespace stile::mdns::limits
