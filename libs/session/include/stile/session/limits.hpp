// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>

namespace stile::session::limits {

// An offer or answer leaves when gathering is complete, or after this: what a slow source finds
// later is not worth a person's waiting.
inline constexpr Duration description_patience = std::chrono::milliseconds{750};

// From the exchange of descriptions to the first route. The relayed pair needs a second or two.
inline constexpr Duration path_patience = std::chrono::seconds{30};

// How long an ended session may still try to give its relays back; they expire by themselves.
inline constexpr Duration release_patience = std::chrono::seconds{2};

// Sessions of one endpoint, both ways together: what one share can serve from one process.
inline constexpr std::size_t most_sessions = 256;

// Events and signalling messages not yet fetched. Events are never lost silently: an endpoint that
// is not polled refuses new sessions first.
inline constexpr std::size_t most_queued_events = 1024;

}  // namespace stile::session::limits
