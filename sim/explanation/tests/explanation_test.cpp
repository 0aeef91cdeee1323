// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/nat_knowledge.hpp>
#include <stile/sim/oracle.hpp>

#include <doctest/doctest.h>

namespace stile::sim {
namespace {

// Of the nine kinds, in the order of both vocabularies.
constexpr Mapping mapping_of[] = {Mapping::EndpointIndependent, Mapping::AddressDependent,
                                  Mapping::AddressAndPortDependent};
constexpr Filtering filtering_of[] = {Filtering::EndpointIndependent, Filtering::AddressDependent,
                                      Filtering::AddressAndPortDependent};

NatBehavior simulated(unsigned kind) {
    return {.mapping = mapping_of[kind / 3], .filtering = filtering_of[kind % 3]};
}

connect::NatBehavior said(unsigned kind) {
    return {connect::mapping_behaviors[kind / 3], connect::filtering_behaviors[kind % 3]};
}

DirectPath computed(unsigned left_kind, unsigned right_kind) {
    const auto address = [](const char* text) { return *IpAddress::parse(text); };
    Topology topology;
    const HostId stun = topology.add_host("stun", Topology::internet, address("198.51.100.1"));
    const NetworkId one =
        topology.add_nat(Topology::internet, address("203.0.113.1"), simulated(left_kind));
    const NetworkId two =
        topology.add_nat(Topology::internet, address("203.0.113.2"), simulated(right_kind));
    const HostId left = topology.add_host("left", one, address("192.168.1.2"));
    const HostId right = topology.add_host("right", two, address("192.168.1.2"));
    return direct_udp_path(topology, left, right, stun);
}

TEST_CASE("explanation: names an obstacle for exactly those of the 81 that the oracle excludes") {
    unsigned impossible = 0;
    for (unsigned left = 0; left < 9; ++left) {
        for (unsigned right = 0; right < 9; ++right) {
            CAPTURE(left);
            CAPTURE(right);
            const bool excluded =
                connect::obstacle_between(said(left), said(right)) != connect::Obstacle::None;
            CHECK(excluded == (computed(left, right) == DirectPath::Impossible));
            impossible += excluded ? 1U : 0U;
        }
    }
    CHECK(impossible == 39);
}

}  // namespace
}  // namespace stile::sim
