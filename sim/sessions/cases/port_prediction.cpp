// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// NATs that map per destination and count their ports: a peer that is told the next ones is reached
// where none that is told only what servers saw could be.
#include "connect_cases.hpp"

namespace stile::sim::test {
namespace {

using connect::RouteKind;

constexpr std::uint64_t seeds = 20;

NatBehavior counting(PortAssignment ports, PortParity parity = PortParity::Ignored) {
    return {.mapping = Mapping::AddressAndPortDependent,
            .filtering = Filtering::AddressAndPortDependent,
            .ports = ports,
            .parity = parity};
}
NatBehavior restricted() {
    return {.mapping = Mapping::EndpointIndependent,
            .filtering = Filtering::AddressAndPortDependent};
}

// How many of the runs end on a direct path; the others have to be relayed.
std::size_t direct(const NatBehavior& left, const NatBehavior& right) {
    std::size_t count = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        ConnectRun run{two_homes(left, right, seed), seed,
                       seed % 2 == 0 ? Signalling::Trickled : Signalling::Whole};
        run.run_until(Instant{} + 20s);
        const auto ours = run.side(0).connector.route();
        const auto theirs = run.side(1).connector.route();
        REQUIRE_MESSAGE(ours, run.report());
        REQUIRE_MESSAGE(theirs, run.report());
        CHECK(ours->kind == theirs->kind);
        count += ours->kind == RouteKind::Direct ? 1U : 0U;
    }
    return count;
}

TEST_CASE("port prediction: a NAT that counts meets one that lets in only whom it has sent to") {
    for (const PortAssignment ports : {PortAssignment::Sequential, PortAssignment::Preserving}) {
        for (const PortParity parity : {PortParity::Ignored, PortParity::Preserved}) {
            CAPTURE(ports);
            CAPTURE(parity);
            CHECK(direct(counting(ports, parity), restricted()) == seeds);
            CHECK(direct(restricted(), counting(ports, parity)) == seeds);
        }
    }
}

TEST_CASE("port prediction: two NATs that count meet") {
    const NatBehavior nat = counting(PortAssignment::Sequential);
    CHECK(direct(nat, nat) >= 1);
}

TEST_CASE("port prediction: random ports are not guessed, and the relay does it") {
    const NatBehavior random = counting(PortAssignment::Random);
    CHECK(direct(random, restricted()) == 0);
    CHECK(direct(random, random) == 0);
}

}  // namespace
}  // namespace stile::sim::test
