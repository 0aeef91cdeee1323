// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>
#include <cstdint>

namespace stile::session::limits {

// An offer or answer leaves when gathering is complete, or after this: what a slow source finds
// later is not worth a person's waiting.
inline constexpr Duration description_patience = std::chrono::milliseconds{750};

// A relay is worth more waiting: it may be the only way, and what the description lacks the peer
// never learns. An answer is there after two round trips; this survives two losses.
inline constexpr Duration relay_patience = std::chrono::milliseconds{2500};

// From the exchange of descriptions to the first route. The relayed pair needs a second or two.
inline constexpr Duration path_patience = std::chrono::seconds{30};

// The answerer waits this much longer, so that who asked learns why, and not only that the other
// side ended it.
inline constexpr Duration answerer_grace = std::chrono::seconds{5};

// How long a session lives without a route before it ends: a person changes rooms, the connection
// to the server comes back, the peer notices the loss within the 30 s of its own consent.
inline constexpr Duration lost_patience = std::chrono::seconds{60};

// New sockets come in groups, one an address: what one of them is worth a restart for, all are.
inline constexpr Duration network_settling = std::chrono::milliseconds{250};

// Between one try of a restart and the next; doubles with each failure, up to the longest.
inline constexpr Duration least_restart_interval = std::chrono::seconds{1};
inline constexpr Duration most_restart_interval = std::chrono::seconds{16};

// Failures in a row after which a session whose route works lets it be, until its route is lost.
inline constexpr std::uint32_t most_restart_failures = 8;
// Wishes of one path for TCP connections, and ends of such wishes, that were not yet fetched. Later
// ones are lost: the pairs and relays that want them fail when their time is over.
inline constexpr std::size_t most_stream_news = 256;

// How often in a row the server may say that the peer is not there, once the path is lost, too:
// consent has run out by then, so the peer had half a minute to come back and to restart by itself.
inline constexpr std::uint32_t most_absences = 3;

// How long an ended session may still try to give its relays back; they expire by themselves.
inline constexpr Duration release_patience = std::chrono::seconds{2};

// Sessions of one endpoint, both ways together: what one share can serve from one process.
inline constexpr std::size_t most_sessions = 256;

// Ended sessions that still give their relays back; beyond that the oldest is let go.
inline constexpr std::size_t most_released = 256;

// Events not yet fetched. An endpoint that is not polled refuses new sessions; then events of
// routes and registrations are lost, which find() tells too, but never Ended.
inline constexpr std::size_t most_queued_events = 1024;

}  // namespace stile::session::limits
