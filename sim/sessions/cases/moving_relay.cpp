// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Two connectors without any signalling, behind NATs that filter by address and port. One of them
// changes its network, the old one first gone: the relay comes along, and data goes on through it.
#include "connect_cases.hpp"

namespace stile::sim::test {
namespace {

constexpr Duration one_way = 50ms;  // from home to home; to the relay half of it
constexpr Duration round_trip = 2 * one_way;
constexpr NatBehavior filtering{.filtering = Filtering::AddressAndPortDependent};

enum class Before : std::uint8_t { Direct, Relayed };

struct Homes {
    Scene scene;
    Uplink mobile;

    Homes(std::size_t mover, Before before) {
        const auto address = [](const char* text) { return *IpAddress::parse(text); };
        constexpr Link at_once{.delay = Duration::zero()};
        Topology& topology = scene.topology;
        scene.name = "homes behind NATs that filter";
        scene.server =
            topology.add_host("server", Topology::internet, address("198.51.100.1"), at_once);
        scene.server_sockets = {{address("198.51.100.1"), stun_port}};
        const auto home = [&](const char* outside, NatBehavior nat) {
            return topology.add_nat(Topology::internet, address(outside), nat,
                                    {.delay = one_way / 2});
        };
        NatBehavior first = filtering;
        // Nobody else's, and ports that nobody guesses: the relay is the only way.
        if (before == Before::Relayed) {
            first.mapping = Mapping::AddressAndPortDependent;
            first.ports = PortAssignment::Random;
        }
        const NetworkId left = home("203.0.113.1", mover == 0 ? first : filtering);
        const NetworkId right = home("203.0.113.2", mover == 1 ? first : filtering);
        scene.left_addresses = {address("192.168.1.2")};
        scene.right_addresses = {address("192.168.2.2")};
        scene.left = topology.add_host("left", left, scene.left_addresses[0], at_once);
        scene.right = topology.add_host("right", right, scene.right_addresses[0], at_once);
        mobile = {home("203.0.113.77", filtering), {address("10.9.9.2")}, at_once};
    }
};

// When the first datagram of the application arrived after the change, in round trips.
struct Silence {
    double to_other = 0;  // from the one who moved
    double to_mover = 0;
};

Silence change(std::size_t mover, Before before) {
    const Homes homes{mover, before};
    ConnectRun run{homes.scene, 7, Signalling::Trickled};
    const auto problem = run.run();
    REQUIRE_MESSAGE(!problem, *problem);
    // What was proven at the start is proven no more, unless it is proven again and again.
    run.run_until(run.world().now() + 100s);
    const auto relayed = run.server().service().allocations();
    run.leave(mover);
    run.run_until(run.world().now() + 400ms);
    const Instant there = run.world().now();
    run.join(mover, homes.mobile);
    std::array<std::optional<double>, 2> heard;
    for (std::size_t i = 0; i < 2; ++i) run.side(i).received = 0;
    while (run.world().now() < there + 3s) {
        for (std::size_t i = 0; i < 2; ++i) run.send_data(i);
        run.run_until(run.world().now() + 2ms);
        for (std::size_t i = 0; i < 2; ++i) {
            if (heard.at(i) || run.side(i).received == 0) continue;
            heard.at(i) = static_cast<double>((run.world().now() - there).count()) /
                          static_cast<double>(Duration{round_trip}.count());
        }
    }
    CHECK(run.relays_lost() == 0);
    CHECK(run.server().service().allocations() == relayed);
    REQUIRE_MESSAGE(heard.at(1 - mover), run.report());
    REQUIRE_MESSAGE(heard.at(mover), run.report());
    CHECK(run.side(mover).connector.route()->kind == connect::RouteKind::Relayed);
    // Both ways, and for longer than a consent lasts.
    for (std::size_t i = 0; i < 2; ++i) run.side(i).received = 0;
    for (int i = 0; i < 40; ++i) {
        run.run_until(run.world().now() + 1s);
        for (std::size_t from = 0; from < 2; ++from) run.send_data(from);
    }
    CHECK(run.side(0).received > 35);
    CHECK(run.side(1).received > 35);
    return {.to_other = *heard.at(1 - mover), .to_mover = *heard.at(mover)};
}

// A refused nonce and the move take one round trip to the relay each, of which each is half of one
// between the homes; then data is on its way to the other, and what that sends comes back.
void check(const Silence& silence) {
    CAPTURE(silence.to_other);
    CAPTURE(silence.to_mover);
    CHECK(silence.to_other < 1.6);
    CHECK(silence.to_mover < 2.1);
}

TEST_CASE("moving relay: the controlling side leaves a network in which it was met directly") {
    check(change(0, Before::Direct));
}
TEST_CASE("moving relay: the controlled side leaves a network in which it was met directly") {
    check(change(1, Before::Direct));
}
TEST_CASE("moving relay: the controlling side leaves a network where it was met by its relay") {
    check(change(0, Before::Relayed));
}
TEST_CASE("moving relay: the controlled side leaves a network where it was met by its relay") {
    check(change(1, Before::Relayed));
}

}  // namespace
}  // namespace stile::sim::test
