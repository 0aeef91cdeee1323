// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <optional>

namespace stile::session {

// When a session came how far, each for the first time: restarts change nothing.
struct Milestones {
    Instant begun{};
    std::optional<Instant> gathered;   // every server of the path has answered, or was given up
    std::optional<Instant> described;  // our description was ready for the peer
    std::optional<Instant> agreed;     // the peer's was taken
    std::optional<Instant> routed;     // data may flow
};

}  // namespace stile::session
