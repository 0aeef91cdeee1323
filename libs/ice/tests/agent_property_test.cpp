// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What holds in every world, over many seeds; a failure prints its seed.
#include "network.hpp"

#include <deque>

namespace stile::ice {
namespace {

using namespace testing;

std::vector<Instant> request_times(const Network& network, const Peer* sender) {
    std::vector<Instant> times;
    for (const Packet& packet : network.log) {
        if (sender != nullptr && packet.sender != sender) continue;
        if (packet.is_request()) times.push_back(packet.when);
    }
    return times;
}

// The first consent request comes 4 s after the first valid pair at the earliest: before, every
// request is a check.
Duration least_gap(const std::vector<Instant>& times) {
    Duration least = 1h;
    for (std::size_t i = 1; i < times.size(); ++i) least = std::min(least, times[i] - times[i - 1]);
    return least;
}

// Peers with NATs of random kinds, several sockets each, a relay each, loss and delay.
struct RandomWorld {
    Network network;
    Nat left_nat{.outside = IpAddress::v4({192, 0, 2, 1})};
    Nat right_nat{.outside = IpAddress::v4({203, 0, 113, 1})};
    Peer left;
    Peer right;
    crypto::RandomStream random;

    explicit RandomWorld(std::uint64_t seed, std::uint64_t loss_percent = 20)
        : left({.role = Role::Controlling}, seed),
          right({.role = seed % 5 == 0 ? Role::Controlling : Role::Controlled}, seed + 1'000'000),
          random(random_from(seed + 2'000'000)) {
        network.delay = 1ms + Duration{std::chrono::milliseconds{random.below(150)}};
        network.drops = [this, loss_percent](const Packet&) {
            // Consent requests are sent once only: such loss for long would end any consent.
            return network.now < start + 30s && random.below(100) < loss_percent;
        };
        build(left, left_nat, "10.0.0.");
        build(right, right_nat, "192.168.1.");
        left.add_relay(start, "198.51.100.1:50000");
        right.add_relay(start, "198.51.100.1:60000");
    }
    void build(Peer& peer, Nat& nat, const std::string& prefix) {
        network.join(peer);
        if (random.below(4) != 0) peer.nat = &nat;
        using Kind = Nat::Kind;
        nat.mapping =
            random.below(2) == 0 ? Kind::EndpointIndependent : Kind::AddressAndPortDependent;
        nat.filtering =
            random.below(2) == 0 ? Kind::EndpointIndependent : Kind::AddressAndPortDependent;
        const std::uint64_t sockets = 1 + random.below(3);
        for (std::uint64_t i = 0; i < sockets; ++i) {
            const std::string socket = prefix + std::to_string(2 + i) + ":1000";
            peer.add_host(start, socket);
            if (peer.nat != nullptr) peer.add_reflexive(start, socket);
        }
    }
};

TEST_CASE("ice agent property: with a relay two peers agree on a pair whatever is between them") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        CAPTURE(seed);
        RandomWorld world{seed};
        exchange(start, world.left, world.right);
        world.network.run_for(90s);
        CHECK(world.left.agent.state() == State::Completed);
        CHECK(world.right.agent.state() == State::Completed);
        CHECK(world.left.agent.role() != world.right.agent.role());
        // Data was never without a path for longer than the first checks took.
        for (const Peer* peer : {&world.left, &world.right}) {
            const auto first = peer->first_time<PairSelected>();
            REQUIRE(first);
            CHECK(*first < start + 10s);
            CHECK(peer->all<ConsentExpired>().empty());
            for (const auto& pair : peer->agent.pairs())
                CHECK_FALSE(pair.state == PairState::Frozen);
        }
    }
}

TEST_CASE("ice agent property: never two checks inside Ta") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        RandomWorld world{seed};
        exchange(start, world.left, world.right);
        world.network.run_for(4s);
        CHECK(least_gap(request_times(world.network, &world.left)) >= 50ms);
        CHECK(least_gap(request_times(world.network, &world.right)) >= 50ms);
    }
}

TEST_CASE(
    "ice agent property: agents that share a pacer never send two checks inside its interval") {
    Pacer shared{limits::least_ta};
    Network network;
    network.shared_pacer = &shared;
    network.delay = 3ms;
    std::deque<Peer> peers;
    for (std::uint16_t i = 0; i < 40; ++i) {
        const bool first = i % 2 == 0;
        Peer& peer = peers.emplace_back(
            AgentConfig{.role = first ? Role::Controlling : Role::Controlled}, i);
        network.join(peer);
        peer.add_host(start, "192.0.2." + std::to_string(i + 1) + ":1");
        peer.add_host(start, "192.0.2." + std::to_string(i + 1) + ":2");
    }
    for (std::size_t i = 0; i < peers.size(); i += 2) exchange(start, peers[i], peers[i + 1]);
    network.run_for(4s);
    CHECK(least_gap(request_times(network, nullptr)) >= 5ms);
    for (const Peer& peer : peers) CHECK(peer.agent.state() == State::Completed);
}

TEST_CASE("ice agent property: the higher pacing of both sides is used") {
    for (const auto ours : {20ms, 80ms}) {
        for (const std::optional<Duration> theirs :
             {std::optional<Duration>{}, std::optional<Duration>{10ms}, {100ms}, {1h}}) {
            Peer peer{{.ta = ours}, 1};
            Network network;
            network.join(peer);
            for (int i = 1; i < 9; ++i) peer.add_host(start, "10.0.0." + std::to_string(i) + ":1");
            REQUIRE(peer.agent.set_remote(
                start, {.credentials = {"abcd", "0123456789012345678901"}, .ta = theirs}));
            REQUIRE(peer.agent.add_remote_candidate(
                start, {.address = at("203.0.113.1:1"), .priority = 1, .foundation = "1"}));
            network.run_for(3s);
            const Duration expected =
                std::max<Duration>(ours, std::min(theirs.value_or(50ms), limits::most_ta));
            CHECK(least_gap(request_times(network, &peer)) == expected);
        }
    }
}

TEST_CASE("ice agent property: early and repeated timeouts change nothing") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        std::vector<std::vector<std::pair<Instant, Bytes>>> logs;
        for (const bool noisy : {false, true}) {
            RandomWorld world{seed};
            exchange(start, world.left, world.right);
            for (int i = 0; i < 300; ++i) {
                world.network.run_for(100ms);
                if (!noisy) continue;
                for (Peer* peer : {&world.left, &world.right}) {
                    peer->agent.handle_timeout(world.network.now);
                    peer->agent.handle_timeout(world.network.now);
                }
            }
            auto& log = logs.emplace_back();
            for (const Packet& packet : world.network.log) {
                log.emplace_back(packet.when, packet.payload);
            }
        }
        CHECK(logs[0].size() == logs[1].size());
        CHECK(logs[0] == logs[1]);
    }
}

TEST_CASE("ice agent property: a late wake-up sends one check, not a burst") {
    Peer peer{{}, 1};
    for (int i = 1; i < 20; ++i) {
        REQUIRE(peer.agent.add_local_candidate(
            start, host_candidate(at("10.0.0." + std::to_string(i) + ":1"))));
    }
    REQUIRE(peer.agent.set_remote_credentials(start, {"abcd", "0123456789012345678901"}));
    REQUIRE(peer.agent.add_remote_candidate(
        start, {.address = at("203.0.113.1:1"), .priority = 1, .foundation = "1"}));
    peer.agent.handle_timeout(start);
    CHECK(peer.agent.poll_transmit());
    peer.agent.handle_timeout(start + 5s);
    CHECK(peer.agent.poll_transmit());
    CHECK_FALSE(peer.agent.poll_transmit());
    CHECK(peer.agent.poll_timeout() == start + 5050ms);
}

TEST_CASE("ice agent property: poll_timeout is never in the past and always leads somewhere") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        RandomWorld world{seed, 60};
        exchange(start, world.left, world.right);
        Instant last = start;
        for (int i = 0; i < 2000; ++i) {
            const auto next = world.left.agent.poll_timeout();
            if (!next) break;
            REQUIRE(*next >= last);
            last = *next;
            world.left.agent.handle_timeout(last);
            while (world.left.agent.poll_transmit()) {
            }
            while (world.left.agent.poll_event()) {
            }
            // What was due then has been done.
            const auto after = world.left.agent.poll_timeout();
            CHECK((!after || *after > last));
        }
        CHECK(world.left.agent.state() == State::Failed);
    }
}

TEST_CASE("ice agent property: one lost packet, whichever, delays and does not prevent") {
    for (std::size_t lost = 0; lost < 12; ++lost) {
        CAPTURE(lost);
        TwoHosts two;
        std::size_t count = 0;
        two.network.drops = [&](const Packet&) { return count++ == lost; };
        exchange(start, two.left, two.right);
        two.network.run_for(10s);
        CHECK(two.left.agent.state() == State::Completed);
        CHECK(two.right.agent.state() == State::Completed);
    }
}

TEST_CASE("ice agent property: retransmissions follow RFC 8445 Section 14.3 and RFC 8489 6.2.1") {
    Peer peer{{}, 1};
    Network network;
    network.join(peer);
    peer.add_host(start, "10.0.0.1:1");
    REQUIRE(peer.agent.set_remote_credentials(start, {"abcd", "0123456789012345678901"}));
    REQUIRE(peer.agent.add_remote_candidate(
        start, {.address = at("203.0.113.1:1"), .priority = 1, .foundation = "1"}));
    network.run_for(60s);
    std::vector<Duration> sends;
    for (const Instant when : request_times(network, &peer)) sends.push_back(when - start);
    CHECK(sends == std::vector<Duration>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms});
}

TEST_CASE("ice agent property: many checks wait longer for their answers") {
    Peer peer{{}, 1};
    Network network;
    network.join(peer);
    peer.add_host(start, "10.0.0.1:1");
    REQUIRE(peer.agent.set_remote_credentials(start, {"abcd", "0123456789012345678901"}));
    for (std::uint16_t port = 1; port <= 40; ++port) {
        REQUIRE(peer.agent.add_remote_candidate(
            start, {.address = {IpAddress::v4({203, 0, 113, 1}), Port{port}},
                    .priority = port,
                    .foundation = std::to_string(port)}));
    }
    network.run_for(3s);
    // "an agent will send its first packet for every single connectivity check before performing a
    // retransmit": 40 checks at 50 ms take 2 s.
    std::vector<SocketAddress> first;
    for (const Packet& packet : network.log) {
        if (packet.when < start + 2s) first.push_back(packet.to);
    }
    std::sort(first.begin(), first.end());
    CHECK(std::unique(first.begin(), first.end()) == first.end());
    CHECK(first.size() == 40);
}

TEST_CASE("ice agent property: the same seed gives the same run") {
    std::vector<Bytes> runs[2];
    for (auto& run : runs) {
        RandomWorld world{42};
        exchange(start, world.left, world.right);
        world.network.run_for(20s);
        for (const Packet& packet : world.network.log) run.push_back(packet.payload);
    }
    CHECK(runs[0] == runs[1]);
    CHECK_FALSE(runs[0].empty());
}

}  // namespace
}  // namespace stile::ice
