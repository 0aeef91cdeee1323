// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Dead servers and interfaces that lead nowhere, one kind at a time and together. The simulated
// times are exact, and so is what is asked: the same instant of the first route as without them.
#include "connect_cases.hpp"

#include <stile/sim/sessions/dead_ends.hpp>

namespace stile::sim::test {
namespace {

constexpr std::size_t live_interfaces = 4;
constexpr std::uint64_t seeds = 4;
constexpr NatKind easy{Mapping::EndpointIndependent, Filtering::EndpointIndependent};
constexpr NatKind cone{Mapping::EndpointIndependent, Filtering::AddressAndPortDependent};
constexpr NatKind hard{Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent};
// Where the dead come first among their kind: until servers have shown which sockets lead out, and
// have been asked for a relay from one of these.
constexpr Duration at_worst = 1200ms;

struct FirstRoutes {
    Duration left;
    Duration right;
    std::string report;
};

FirstRoutes first_routes(const Scene& scene, std::uint64_t seed) {
    ConnectRun run{scene, seed, Signalling::Trickled};
    const auto& left = run.side(0).first_route;
    const auto& right = run.side(1).first_route;
    while ((!left || !right) && run.world().now() < Instant{} + 20s) {
        run.run_until(run.world().now() + 50ms);
    }
    REQUIRE_MESSAGE(left, run.report());
    REQUIRE_MESSAGE(right, run.report());
    return {*left, *right, run.report()};
}

struct Burden {
    const char* name;
    DeadEnds dead;
};
std::vector<Burden> burdens() {
    using enum DeadEnds::Addresses;
    return {
        {"a dead TURN server", {.turn_servers = 1}},
        {"a black-holed STUN server", {.stun_servers = 1}},
        {"12 stale interfaces of 16", {.interfaces = 12}},
        {"12 stale interfaces of 16, the same on both sides",
         {.interfaces = 12, .addresses = Shared}},
        {"a dead TURN and a black-holed STUN server", {.stun_servers = 1, .turn_servers = 1}},
        {"all of them", {.stun_servers = 1, .turn_servers = 1, .interfaces = 12}},
        {"all of them, and two servers of each kind",
         {.stun_servers = 2, .turn_servers = 2, .interfaces = 12, .addresses = Shared}},
    };
}

Scene scene_of(NatKind left, NatKind right, std::uint64_t seed) {
    return with_interfaces(two_homes(left, right, seed, Weather::Fair), live_interfaces);
}

template <class Test>
void for_each_burden(const Scene& scene, std::uint64_t seed, Test test) {
    INFO(scene.name, ", seed ", seed);
    const FirstRoutes without = first_routes(scene, seed);
    for (const Burden& burden : burdens()) {
        INFO(std::string{burden.name});
        test(scene, seed, burden.dead, without);
    }
}

template <class Test>
void for_each_scene(Test test) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        for (const NatKind left : nat_kinds()) {
            for (const NatKind right : {easy, cone, hard}) {
                for_each_burden(scene_of(left, right, seed), seed, test);
            }
        }
        // From host to host, over IPv6, and by the relay alone, too.
        for (std::size_t i = 0; i < static_cast<std::size_t>(Place::count); ++i) {
            const auto place = static_cast<Place>(i);
            const Scene scene = make_place(place, seed, Weather::Fair);
            for_each_burden(scene, seed, test);
            for_each_burden(with_interfaces(scene, live_interfaces), seed, test);
        }
    }
}

TEST_CASE("connect: dead servers and interfaces that lead nowhere delay no first route") {
    for_each_scene([](const Scene& scene, std::uint64_t seed, const DeadEnds& dead,
                      const FirstRoutes& without) {
        const FirstRoutes with = first_routes(with_dead_ends(scene, dead), seed);
        CHECK_MESSAGE(with.left.count() == without.left.count(), with.report, without.report);
        CHECK_MESSAGE(with.right.count() == without.right.count(), with.report, without.report);
    });
}

TEST_CASE("connect: even where all that is dead is asked first there is soon a route") {
    for_each_scene(
        [](const Scene& scene, std::uint64_t seed, DeadEnds dead, const FirstRoutes& without) {
            dead.order = Order::First;
            const FirstRoutes with = first_routes(with_dead_ends(scene, dead), seed);
            CHECK(with.left.count() <= (without.left + at_worst).count());
            CHECK(with.right.count() <= (without.right + at_worst).count());
        });
}

TEST_CASE("connect: the best path is found among dead servers and interfaces all the same") {
    for (const NatKind left : nat_kinds()) {
        for (const Order order : {Order::First, Order::Last}) {
            const Scene scene = with_dead_ends(
                scene_of(left, hard, 1),
                {.stun_servers = 1, .turn_servers = 1, .interfaces = 12, .order = order});
            CAPTURE(scene.name);
            ConnectRun run{scene, 1, Signalling::Trickled};
            run.run_until(Instant{} + 20s);
            CHECK_MESSAGE(run.chosen_path() == expected_path(scene), run.report());
        }
    }
}

}  // namespace
}  // namespace stile::sim::test
