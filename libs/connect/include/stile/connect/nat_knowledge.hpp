// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/behavior_discovery.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace stile::connect {

// How a NAT, or a firewall, behaves for UDP. RFC 4787 Sections 4.1 and 5.
struct NatBehavior {
    stun::MappingBehavior mapping = stun::MappingBehavior::EndpointIndependent;
    stun::FilteringBehavior filtering = stun::FilteringBehavior::EndpointIndependent;
    friend bool operator==(const NatBehavior&, const NatBehavior&) = default;
};

inline constexpr std::array mapping_behaviors{stun::MappingBehavior::EndpointIndependent,
                                              stun::MappingBehavior::AddressDependent,
                                              stun::MappingBehavior::AddressAndPortDependent};
inline constexpr std::array filtering_behaviors{stun::FilteringBehavior::EndpointIndependent,
                                                stun::FilteringBehavior::AddressDependent,
                                                stun::FilteringBehavior::AddressAndPortDependent};

// What keeps two hosts behind such NATs from exchanging UDP without a relay, if anything does.
enum class Obstacle : std::uint8_t {
    None,
    OursMapsTheirsFilters,  // our address is another for them, and they let in only what they know
    TheirsMapsOursFilters,
    BothMapByPort,      // every answer of either side comes from a new port
    BothMapBothFilter,  // the ports that each opens for the other are told to nobody
};

// For two NATs of different places, of which nobody guesses ports. That this agrees with what
// packets do is tested against sim/oracle for all 81 combinations.
Obstacle obstacle_between(const NatBehavior& ours, const NatBehavior& theirs);

// What is known of one NAT: the behaviours that the evidence leaves. Evidence that would leave none
// is dropped, so what was said first counts.
class NatKnowledge {
public:
    static NatKnowledge of(const NatBehavior& behavior);

    void mapping_is(stun::MappingBehavior mapping);
    void mapping_is_not(stun::MappingBehavior mapping);
    void filtering_is(stun::FilteringBehavior filtering);
    void filtering_is_not(stun::FilteringBehavior filtering);

    bool may_be(const NatBehavior& behavior) const;
    // Where one is left.
    std::optional<stun::MappingBehavior> mapping() const;
    std::optional<stun::FilteringBehavior> filtering() const;
    bool maps_per_destination() const;  // for certain

    friend bool operator==(const NatKnowledge&, const NatKnowledge&) = default;

private:
    using Left = std::array<bool, 3>;
    Left mappings_{true, true, true};
    Left filterings_{true, true, true};
};

// Of the nine kinds of NAT that a peer may be behind, how many meet one of this knowledge without a
// relay: those that do for certain, and those that may.
struct Prospect {
    unsigned certain = 0;
    unsigned possible = 0;
    static constexpr unsigned all = 9;
};
Prospect prospect(const NatKnowledge& ours);

}  // namespace stile::connect
