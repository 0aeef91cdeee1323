// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/ice/remote_parameters.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace stile::connect {

enum class Gathering : std::uint8_t { Ongoing, Complete };

// What one side has to know of the other, carried by whatever signalling there is. Later candidates
// follow one by one (trickle), or all are in it.
struct Description {
    ice::Credentials credentials;
    std::vector<ice::Candidate> candidates;
    Gathering gathering = Gathering::Ongoing;
    // The time between two checks that it proposes; both sides use the larger one. Absent: 50 ms.
    // RFC 8445 Section 14.2.
    std::optional<Duration> ta = {};
    // A connector's own is always Full. RFC 8445 Section 2.5.
    ice::PeerKind kind = ice::PeerKind::Full;
    ice::Renomination renomination = ice::Renomination::NotOffered;
    friend bool operator==(const Description&, const Description&) = default;
};

}  // namespace stile::connect
