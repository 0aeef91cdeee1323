// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/nat_knowledge.hpp>

#include <doctest/doctest.h>

namespace stile::connect {
namespace {

using stun::FilteringBehavior;
using stun::MappingBehavior;

constexpr auto same = MappingBehavior::EndpointIndependent;
constexpr auto by_address = MappingBehavior::AddressDependent;
constexpr auto by_port = MappingBehavior::AddressAndPortDependent;
constexpr auto open = FilteringBehavior::EndpointIndependent;
constexpr auto lets_addresses = FilteringBehavior::AddressDependent;
constexpr auto lets_ports = FilteringBehavior::AddressAndPortDependent;

TEST_CASE("nat knowledge: the obstacle between two NATs, in both directions") {
    struct Row {
        NatBehavior ours;
        NatBehavior theirs;
        Obstacle expected;
        Obstacle turned;
    };
    for (const Row& row : {
             Row{{same, lets_ports}, {same, lets_ports}, Obstacle::None, Obstacle::None},
             Row{{same, lets_addresses}, {by_port, lets_ports}, Obstacle::None, Obstacle::None},
             Row{{by_port, lets_ports},
                 {same, lets_ports},
                 Obstacle::OursMapsTheirsFilters,
                 Obstacle::TheirsMapsOursFilters},
             Row{{by_address, open},
                 {same, lets_ports},
                 Obstacle::OursMapsTheirsFilters,
                 Obstacle::TheirsMapsOursFilters},
             Row{{by_port, open},
                 {by_port, open},
                 Obstacle::BothMapByPort,
                 Obstacle::BothMapByPort},
             Row{{by_address, lets_addresses},
                 {by_port, lets_addresses},
                 Obstacle::BothMapBothFilter,
                 Obstacle::BothMapBothFilter},
             Row{{by_address, open}, {by_port, lets_addresses}, Obstacle::None, Obstacle::None},
         }) {
        CHECK(obstacle_between(row.ours, row.theirs) == row.expected);
        CHECK(obstacle_between(row.theirs, row.ours) == row.turned);
    }
}

TEST_CASE("nat knowledge: evidence narrows, and never to nothing") {
    NatKnowledge knowledge;
    CHECK_FALSE(knowledge.mapping());
    CHECK_FALSE(knowledge.maps_per_destination());
    knowledge.mapping_is_not(same);
    CHECK(knowledge.maps_per_destination());
    CHECK_FALSE(knowledge.mapping());
    CHECK_FALSE(knowledge.may_be({same, open}));
    knowledge.mapping_is_not(by_address);
    CHECK(knowledge.mapping() == by_port);
    // Said first counts.
    knowledge.mapping_is(same);
    knowledge.mapping_is_not(by_port);
    CHECK(knowledge.mapping() == by_port);
    CHECK_FALSE(knowledge.filtering());
    knowledge.filtering_is(lets_ports);
    CHECK(knowledge == NatKnowledge::of({by_port, lets_ports}));
}

TEST_CASE("nat knowledge: whom such a NAT meets of the nine kinds") {
    const auto exactly = [](MappingBehavior mapping, FilteringBehavior filtering) {
        const Prospect found = prospect(NatKnowledge::of({mapping, filtering}));
        CHECK(found.certain == found.possible);
        return found.certain;
    };
    // The rows of the table in sim/oracle/README.md, counted.
    CHECK(exactly(same, open) == 9);
    CHECK(exactly(same, lets_addresses) == 9);
    CHECK(exactly(same, lets_ports) == 3);
    CHECK(exactly(by_address, open) == 6);
    CHECK(exactly(by_address, lets_addresses) == 4);
    CHECK(exactly(by_address, lets_ports) == 2);
    CHECK(exactly(by_port, open) == 4);
    CHECK(exactly(by_port, lets_addresses) == 3);
    CHECK(exactly(by_port, lets_ports) == 2);
    const Prospect nothing_known = prospect(NatKnowledge{});
    CHECK(nothing_known.certain == 2);
    CHECK(nothing_known.possible == 9);
}

}  // namespace
}  // namespace stile::connect
