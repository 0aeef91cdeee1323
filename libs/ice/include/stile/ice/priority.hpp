// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/ice/candidate.hpp>

#include <span>
#include <vector>

namespace stile::ice {

// RFC 8445 Section 5.1.2.2: 126, 110, 100 and 0.
std::uint32_t type_preference(CandidateType type);

// RFC 8445 Section 5.1.2.1. Requires: component is 1 to 256.
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 ComponentId component);

// What a check from this candidate says in PRIORITY: as if it were peer reflexive. RFC 8445
// Section 7.1.1.
std::uint32_t peer_reflexive_priority(std::uint32_t priority);

// RFC 8445 Section 5.1.2: 1 to 2^31 - 1.
constexpr bool is_valid_priority(std::uint32_t priority) {
    return priority >= 1 && priority <= 0x7FFF'FFFF;
}

struct PairPriority {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(PairPriority, PairPriority) = default;
};

// RFC 8445 Section 6.1.2.3. `ours` belongs to the local candidate.
PairPriority pair_priority(Role our_role, std::uint32_t ours, std::uint32_t theirs);

// The addresses in the order in which their candidates should be added: IPv6 and IPv4 intermingled,
// IPv6 first by the head start of RFC 8421 Section 4, the order within a family kept.
std::vector<IpAddress> intermingle(std::span<const IpAddress> addresses);

}  // namespace stile::ice
