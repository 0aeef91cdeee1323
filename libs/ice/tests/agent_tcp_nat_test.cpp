// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_hosts.hpp"

// Two agents over TCP through NATs. RFC 6544.
namespace stile::ice {
namespace {

using namespace testing;

struct TwoNats {
    Nat left_nat{.outside = IpAddress::v4({198, 51, 100, 10})};
    Nat right_nat{.outside = IpAddress::v4({198, 51, 100, 20})};
    TcpHosts two;

    explicit TwoNats(Nat::UnexpectedSyn unexpected, std::uint64_t seed) : two({}, seed) {
        left_nat.unexpected_syn = right_nat.unexpected_syn = unexpected;
        two.left.tcp_nat = &left_nat;
        two.right.tcp_nat = &right_nat;
        two.left.add_tcp(start, "10.0.0.1:1100", TcpType::SimultaneousOpen);
        two.right.add_tcp(start, "10.1.0.1:2100", TcpType::SimultaneousOpen);
        two.left.add_tcp_reflexive(start, "10.0.0.1:1100");
        two.right.add_tcp_reflexive(start, "10.1.0.1:2100");
    }
    // The right one hears of the left one so much later.
    void begin(Duration skew) {
        signal(start, two.right, two.left);
        two.network.run_for(skew);
        signal(two.network.now, two.left, two.right);
        end_candidates(two.network.now, two.left, two.right);
    }
};

TEST_CASE("ice tcp: simultaneous open through NATs that drop an unexpected SYN") {
    for (const Duration skew : {Duration{0ms}, Duration{300ms}, Duration{900ms}}) {
        CAPTURE(skew.count());
        TwoNats world{Nat::UnexpectedSyn::Drop, 5};
        world.begin(skew);
        world.two.network.run_for(10s);
        REQUIRE(world.two.connected());
        REQUIRE(world.two.over_tcp());
        CHECK(world.two.left.agent.selected()->remote.ip == world.right_nat.outside);
        CHECK(world.two.right.agent.selected()->remote.ip == world.left_nat.outside);
        CHECK(world.two.network.streams.count(world.two.left) == 1);
        CHECK(world.two.network.streams.attempts() == 0);
    }
}

TEST_CASE("ice tcp: simultaneous open through NATs that answer an unexpected SYN with a reset") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        for (const Duration skew : {Duration{0ms}, Duration{300ms}, Duration{900ms}}) {
            for (const Duration delay : {Duration{250us}, Duration{5ms}, Duration{100ms}}) {
                CAPTURE(seed);
                CAPTURE(skew.count());
                CAPTURE(delay.count());
                TwoNats world{Nat::UnexpectedSyn::Reset, seed};
                world.two.network.delay = delay;
                world.begin(skew);
                world.two.network.run_for(15s);
                CHECK(world.two.connected());
                CHECK(world.two.over_tcp());
            }
        }
    }
}

TEST_CASE(
    "ice tcp: a simultaneous open that is refused for ever ends after Ti, with bounded tries") {
    TwoNats world{Nat::UnexpectedSyn::Reset, 3};
    world.two.network.streams.syn_fate = [](const Path&) { return Streams::Fate::Reset; };
    world.begin(0ms);
    world.two.network.run_for(60s);
    for (const PairReport& pair : world.two.left.agent.pairs()) {
        CHECK(pair.state == PairState::Failed);
    }
    CHECK(world.two.left.agent.state() == State::Failed);
    CHECK(world.two.network.streams.attempts() == 0);
    // Two pairs a side; 400 quick ones, and at most two a second after that.
    CHECK(world.two.left.all<ConnectionWanted>().size() > 2 * 400);
    CHECK(world.two.left.all<ConnectionWanted>().size() < 2 * (400 + 10 + 80));
}

TEST_CASE("ice tcp: one side behind a NAT connects actively to the other") {
    Nat nat{.outside = IpAddress::v4({198, 51, 100, 10})};
    TcpHosts two;
    two.left.tcp_nat = &nat;
    for (const TcpType type : {TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen}) {
        const bool is_so = type == TcpType::SimultaneousOpen;
        two.left.add_tcp(start, is_so ? "10.0.0.1:1101" : "10.0.0.1:1100", type);
        two.right.add_tcp(start, is_so ? "203.0.113.1:2101" : "203.0.113.1:2100", type);
    }
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    CHECK(two.right.agent.selected()->remote.ip == nat.outside);
    CHECK(two.network.streams.count(two.left) == 1);
    CHECK(two.network.streams.count(two.right) == 1);
}

TEST_CASE("ice tcp: all kinds at once, from each seed, agree on one connection") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        TcpHosts two{{}, seed};
        two.network.delay = std::chrono::milliseconds{seed * 7 % 90};
        two.add_active_and_passive();
        two.left.add_tcp(start, "192.0.2.1:1101", TcpType::SimultaneousOpen);
        two.right.add_tcp(start, "203.0.113.1:2101", TcpType::SimultaneousOpen);
        two.start_checks();
        two.network.run_for(15s);
        REQUIRE(two.connected());
        REQUIRE(two.over_tcp());
        CHECK(*two.left.agent.selected() == reversed(*two.right.agent.selected()));
        CHECK(two.network.streams.count(two.left) == 1);
        CHECK(two.network.streams.attempts() == 0);
        CHECK(two.left.all<ConsentExpired>().empty());
        CHECK(two.right.all<ConsentExpired>().empty());
    }
}

}  // namespace
}  // namespace stile::ice
