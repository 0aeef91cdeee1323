// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "connect_cases.hpp"

#include <algorithm>

namespace stile::sim::test {
namespace {

using connect::CandidatePolicy;
using connect::RouteKind;

constexpr NatKind easy{Mapping::EndpointIndependent, Filtering::EndpointIndependent};
constexpr NatKind hard{Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent};

template <class Kind>
std::size_t count(const ConnectRun::Side& side) {
    return static_cast<std::size_t>(std::ranges::count_if(
        side.events, [](const auto& event) { return std::holds_alternative<Kind>(event); }));
}

TEST_CASE("connect: public hosts, one home, one carrier, firewalls, two families, a blocked way") {
    connect_all_places(seeds_a_place);
}

TEST_CASE("connect: without loss the first route is there soon, whatever the NATs") {
    for (const NatKind kind : nat_kinds()) {
        const Scene scene = two_homes(kind, hard, 3, Weather::Fair);
        ConnectRun run{scene, 3, Signalling::Trickled};
        run.run_until(Instant{} + 3s);
        for (std::size_t i = 0; i < 2; ++i) {
            CAPTURE(scene.name);
            CHECK_MESSAGE(run.side(i).connector.route(), run.report());
        }
    }
}

TEST_CASE("connect: the route of an own relay gets a channel, says so, and a sender may use it") {
    ConnectRun run{two_homes(hard, hard, 5, Weather::Fair), 5, Signalling::Trickled};
    // Before anything is nominated, so that nothing else repeats the route.
    run.run_until(Instant{} + 5s);
    std::size_t with_channel = 0;
    for (std::size_t i = 0; i < 2; ++i) {
        const auto& connector = run.side(i).connector;
        REQUIRE(connector.route());
        REQUIRE(connector.state() == ice::State::Running);
        if (connector.route()->wire == connector.route()->pair) continue;
        ++with_channel;
        REQUIRE(connector.route()->channel);
        const auto& events = run.side(i).events;
        const auto last = std::ranges::find_if(events.rbegin(), events.rend(), [](const auto& e) {
            return std::holds_alternative<connect::RouteChanged>(e);
        });
        REQUIRE(last != events.rend());
        CHECK(std::get<connect::RouteChanged>(*last).route == connector.route());
    }
    CHECK(with_channel > 0);
    REQUIRE_FALSE(run.run());
    CHECK(run.side(0).by_channel + run.side(1).by_channel > 0);
}

TEST_CASE(
    "connect: who shows the relay alone is reached by it, and none of its addresses is told") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        const Scene scene = two_homes(easy, easy, seed, Weather::Rough);
        ConnectRun run{scene,
                       seed,
                       Signalling::Trickled,
                       {CandidatePolicy::RelayedOnly, CandidatePolicy::All}};
        run.run_until(Instant{} + 30s);
        const auto& hidden = run.side(0).connector;
        REQUIRE(hidden.route());
        REQUIRE(run.side(1).connector.route());
        CHECK(hidden.route()->kind == RouteKind::Relayed);
        CHECK(run.side(1).connector.route()->kind == RouteKind::Relayed);
        for (const ice::Candidate& candidate : hidden.local_description().candidates) {
            CHECK(candidate.type == ice::CandidateType::Relayed);
            CHECK_FALSE(candidate.related);
        }
    }
}

TEST_CASE("connect: two who show the relay alone meet inside of the one server that both have") {
    for (const NatKind kind : {easy, hard}) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            CAPTURE(to_string(kind));
            CAPTURE(seed);
            ConnectRun run{two_homes(kind, kind, seed, Weather::Rough),
                           seed,
                           Signalling::Trickled,
                           {CandidatePolicy::RelayedOnly, CandidatePolicy::RelayedOnly}};
            run.run_until(Instant{} + 30s);
            for (std::size_t i = 0; i < 2; ++i) {
                REQUIRE_MESSAGE(run.side(i).connector.route(), run.report());
                CHECK(run.side(i).connector.route()->kind == RouteKind::Relayed);
            }
            for (int i = 0; i < 30; ++i) {
                for (std::size_t from = 0; from < 2; ++from) run.send_data(from);
                run.run_until(run.world().now() + 20ms);
            }
            run.run_until(run.world().now() + 1s);
            for (std::size_t i = 0; i < 2; ++i) CHECK(run.side(i).received >= 18);
        }
    }
}

TEST_CASE("connect: a path that dies is lost on both sides, and a restart finds another") {
    const Scene scene = two_homes(easy, easy, 7, Weather::Fair);
    ConnectRun run{scene, 7, Signalling::Trickled};
    REQUIRE_FALSE(run.run());
    const BoxId left_box{0};
    run.world().set_udp(left_box, Udp::Blocked);
    run.run_until(run.world().now() + 40s);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK_FALSE(run.side(i).connector.route());
        CHECK(count<connect::RouteLost>(run.side(i)) == 1);
        CHECK(count<connect::PathFailed>(run.side(i)) == 1);
    }
    run.world().set_udp(left_box, Udp::Allowed);
    for (std::size_t i = 0; i < 2; ++i) {
        run.side(i).connector.restart(run.world().now(), ice::PreviousPair::Abandon);
        run.tell_other(i);
    }
    run.run_until(run.world().now() + 5s);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK_MESSAGE(run.side(i).connector.state() == ice::State::Completed, run.report());
        CHECK(run.side(i).connector.route()->kind == RouteKind::Direct);
    }
}

TEST_CASE("connect: a restart keeps the route in use until the new one is there") {
    ConnectRun run{two_homes(easy, hard, 9, Weather::Fair), 9, Signalling::Trickled};
    REQUIRE_FALSE(run.run());
    for (std::size_t i = 0; i < 2; ++i) {
        run.side(i).connector.restart(run.world().now());
        run.tell_other(i);
        CHECK(run.side(i).connector.route());
    }
    const std::size_t received = run.side(1).received;
    for (int i = 0; i < 100; ++i) {
        run.send_data(0);
        CHECK(run.side(0).connector.route());
        run.run_until(run.world().now() + 50ms);
    }
    CHECK(run.side(1).received - received > 90);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(run.side(i).connector.state() == ice::State::Completed);
        CHECK(count<connect::RouteLost>(run.side(i)) == 0);
    }
}

TEST_CASE("connect: a host that moves to another network is reached again after a restart") {
    Scene scene = two_homes(hard, hard, 11, Weather::Fair);
    const NetworkId cafe =
        scene.topology.add_nat(Topology::internet, *IpAddress::parse("203.0.113.3"), {});
    ConnectRun run{scene, 11, Signalling::Trickled};
    REQUIRE_FALSE(run.run());
    const IpAddress address = scene.left_addresses.front();
    run.world().detach(scene.left, address);
    run.world().attach(scene.left, cafe, address);
    for (std::size_t i = 0; i < 2; ++i) {
        run.side(i).connector.restart(run.world().now(), ice::PreviousPair::Abandon);
        run.tell_other(i);
    }
    run.run_until(run.world().now() + 30s);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK_MESSAGE(run.side(i).connector.route(), run.report());
    }
}

TEST_CASE("connect: where all UDP of a host is blocked, both sides learn that there is no path") {
    const Scene scene = blocked_home(1);
    ConnectRun run{scene, 1, Signalling::Trickled};
    run.run_until(Instant{} + 60s);
    CHECK(count<connect::RelayFailed>(run.side(0)) == 1);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK_FALSE(run.side(i).connector.route());
        CHECK(count<connect::GatheringCompleted>(run.side(i)) == 1);
        REQUIRE(count<connect::PathFailed>(run.side(i)) == 1);
    }
}

TEST_CASE("connect: after release the relays are free and the peer learns that nobody answers") {
    ConnectRun run{two_homes(hard, hard, 13, Weather::Fair), 13, Signalling::Whole};
    REQUIRE_FALSE(run.run());
    CHECK(run.server().service().allocations() == 2);
    run.side(0).connector.release(run.world().now());
    run.run_until(run.world().now() + 2s);
    CHECK(run.server().service().allocations() == 1);
    CHECK_FALSE(run.side(0).connector.poll_timeout());
    run.run_until(run.world().now() + 40s);
    CHECK_FALSE(run.side(1).connector.route());
    CHECK(count<connect::RouteLost>(run.side(1)) == 1);
}

TEST_CASE("connect: the same seed is the same run") {
    const Scene scene = two_homes(hard, easy, 17, Weather::Rough);
    ConnectRun one{scene, 17, Signalling::Trickled};
    ConnectRun two{scene, 17, Signalling::Trickled};
    CHECK(one.run() == two.run());
    CHECK(one.world().trace_digest() == two.world().trace_digest());
}

}  // namespace
}  // namespace stile::sim::test
