// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/ice/candidate.hpp>
#include <stile/ice/credentials.hpp>

#include <cstdint>
#include <vector>

namespace stile::connect {

enum class Gathering : std::uint8_t { Ongoing, Complete };

// What one side has to know of the other, carried by whatever signalling there is. Later candidates
// follow one by one (trickle), or all are in it.
struct Description {
    ice::Credentials credentials;
    std::vector<ice::Candidate> candidates;
    Gathering gathering = Gathering::Ongoing;
    friend bool operator==(const Description&, const Description&) = default;
};

}  // namespace stile::connect
