// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "pair.hpp"

#include <doctest/doctest.h>
#include <algorithm>

namespace stile::quic {
namespace {

constexpr std::size_t dead = 1;  // the place of a link that carries nothing

// Two links that work, at 0 and 2, and one that does not.
Pair three_ways(Duration first, Duration second, std::uint64_t seed = 1) {
    PairConfig config;
    config.link.delay = first;
    config.client.initial_rtt = 2 * first;
    config.server.initial_rtt = 2 * first;
    config.seed = seed;
    Pair pair{config};
    pair.ways.push_back({.delay = 10ms, .loss_per_mille = 1000});
    pair.ways.push_back({.delay = second});
    return pair;
}

// How long it takes from now until an octet more of the body is there.
Duration gap(Pair& pair, const BodyClient& client, StreamId stream) {
    const Instant begin = pair.now;
    const std::size_t before = client.received.at(stream);
    REQUIRE(pair.run_until([&] { return client.received.at(stream) > before; }, 30s));
    return pair.now - begin;
}

void check_whole(Pair& pair, BodyClient& client, StreamId stream, std::size_t octets) {
    REQUIRE(pair.run_until([&] { return client.closed == 1; }, 120s));
    CHECK(client.received[stream] == octets);
    CHECK(client.wrong == 0);
    CHECK(pair.client.count<event::Closed>() == 0);
    CHECK(pair.server.count<event::Closed>() == 0);
}

TEST_CASE("quic path change: a transfer goes on over another way, and no octet is lost") {
    Pair pair = three_ways(10ms, 30ms);
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(3'000'000);
    REQUIRE(stream);
    pair.run_for(60ms);
    pair.change_ways(2);
    pair.run_for(300ms);
    CHECK(pair.client.count<event::PathChanged>() == 1);
    check_whole(pair, client, *stream, 3'000'000);
    CHECK(pair.client.connection->statistics().smoothed_rtt >= 60ms);
}

// Both sides' old way is dead for `outage`; the server changes `lag` after the client, or before
// it.
Duration gap_after(Duration outage, Duration delay, Duration lag, unsigned loss_per_mille = 0) {
    Pair pair = three_ways(20ms, delay);
    pair.ways[0].loss_per_mille = loss_per_mille;
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(40'000'000);
    REQUIRE(stream);
    pair.run_for(300ms);
    pair.client.way = dead;
    pair.server.way = dead;
    pair.run_for(outage + 50ms);
    Pair::Side& first = lag < Duration{} ? pair.server : pair.client;
    Pair::Side& second = lag < Duration{} ? pair.client : pair.server;
    pair.change_way(first, 2);
    pair.run_for(std::chrono::abs(lag));
    pair.change_way(second, 2);
    const Duration silent = gap(pair, client, *stream);
    CHECK(client.wrong == 0);
    return silent;
}

TEST_CASE("quic path change: after an outage octets come within three round trips of the new way") {
    for (const Duration outage : std::initializer_list<Duration>{0ms, 1'000ms, 20'000ms}) {
        for (const Duration delay : std::initializer_list<Duration>{1ms, 10ms, 30ms, 100ms}) {
            const Duration round_trip = 2 * delay;
            // Checks end on the two sides within a round trip of each other.
            for (const int quarters : {-4, -1, 0, 1, 2, 4}) {
                CAPTURE(outage.count());
                CAPTURE(delay.count());
                CAPTURE(quarters);
                CHECK(gap_after(outage, delay, quarters * round_trip / 4) <
                      3 * round_trip + 2 * least_ping_interval +
                          1ms);  // runs go by the millisecond
            }
        }
    }
}

TEST_CASE("quic path change: a sender whose window is full of what is lost goes on as soon") {
    for (const Duration outage : std::initializer_list<Duration>{0ms, 300ms, 3'000ms}) {
        for (const Duration delay : std::initializer_list<Duration>{1ms, 10ms, 100ms}) {
            const Duration round_trip = 2 * delay;
            for (const int quarters : {-4, -1, 0, 2, 4}) {
                CAPTURE(outage.count());
                CAPTURE(delay.count());
                CAPTURE(quarters);
                // With so much loss the window, not the peer's, is what holds the sender back.
                CHECK(gap_after(outage, delay, quarters * round_trip / 4, 50) <
                      3 * round_trip + 2 * least_ping_interval + 1ms);
            }
        }
    }
}

TEST_CASE("quic path change: a way that is many times as long as the first is gone, too") {
    for (const Duration delay : std::initializer_list<Duration>{50ms, 150ms, 400ms}) {
        CAPTURE(delay.count());
        Pair pair = three_ways(1ms, delay);
        BodyServer server{pair};
        BodyClient client{pair};
        REQUIRE(pair.connect());
        const auto stream = client.get(8'000'000);
        REQUIRE(stream);
        pair.run_for(20ms);
        pair.change_ways(2);
        pair.run_for(20 * delay);
        check_whole(pair, client, *stream, 8'000'000);
        // The library's time for an answer is made for the first way: the second asking succeeds.
        CHECK(pair.client.count<event::PathFailed>() <= 1);
        CHECK(pair.client.count<event::PathChanged>() == 1);
        CHECK(pair.server.connection->statistics().smoothed_rtt >= delay);
    }
}

TEST_CASE("quic path change: what is lost at the change is sent again") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        Pair pair = three_ways(10ms, 15ms, seed);
        BodyServer server{pair};
        BodyClient client{pair};
        REQUIRE(pair.connect());
        const auto stream = client.get(1'500'000);
        REQUIRE(stream);
        pair.run_for(100ms);
        pair.ways[2].loss_per_mille = 300;
        pair.change_ways(2);
        pair.run_for(100ms);
        pair.ways[2].loss_per_mille = 0;
        check_whole(pair, client, *stream, 1'500'000);
    }
}

TEST_CASE("quic path change: a client that sends goes on, too") {
    Pair pair = three_ways(10ms, 20ms);
    std::size_t received = 0;
    std::size_t wrong = 0;
    pair.server.application = [&](Event& event) {
        const auto* const body = std::get_if<event::BodyReceived>(&event);
        if (body == nullptr) return;
        const BytesView octets = pair.server.connection->body(body->stream);
        for (const std::byte octet : octets) wrong += octet != body_octet(received++) ? 1U : 0U;
        pair.server.connection->consume(body->stream, octets.size());
    };
    REQUIRE(pair.connect());
    const auto stream = pair.client.connection->request(
        {.method = "PUT", .scheme = "https", .authority = "bob", .path = "/"}, More::Yes);
    REQUIRE(stream);
    Bytes sent(1'000'000);
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = body_octet(i);
    REQUIRE(pair.client.connection->push_body(*stream, sent) == SendResult::Taken);
    for (int change = 0; change < 4; ++change) {
        pair.run_for(50ms);
        pair.client.way = dead;
        pair.server.way = dead;
        pair.run_for(100ms);
        pair.change_ways(change % 2 == 0 ? 2 : 0);
    }
    REQUIRE(pair.run_until([&] { return received == sent.size(); }));
    CHECK(wrong == 0);
}

TEST_CASE("quic path change: one side's change is no matter of the other's") {
    Pair pair = three_ways(10ms, 10ms);
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(3'000'000);
    REQUIRE(stream);
    for (int change = 0; change < 6; ++change) {
        pair.run_for(100ms);
        pair.change_way(change % 3 == 0 ? pair.client : pair.server, change % 2 == 0 ? 2 : 0);
    }
    check_whole(pair, client, *stream, 3'000'000);
    CHECK(pair.client.count<event::PathChanged>() == 2);
}

TEST_CASE("quic path change: changes faster than connection ids come end on the last way") {
    Pair pair = three_ways(50ms, 50ms);
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(2'000'000);
    REQUIRE(stream);
    pair.run_for(300ms);
    for (int change = 0; change < 40; ++change) {
        pair.change_ways(change % 2 == 0 ? 2 : 0);
        pair.run_for(1ms);
    }
    pair.change_ways(2);
    pair.ways[0].loss_per_mille = 1000;
    check_whole(pair, client, *stream, 2'000'000);
    CHECK(pair.client.count<event::PathChanged>() >= 1);
}

TEST_CASE("quic path change: a narrower way is found out") {
    Pair pair = three_ways(10ms, 10ms);
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(12'000'000);
    REQUIRE(stream);
    pair.run_for(200ms);
    CHECK(pair.server.connection->statistics().datagram_octets > 1'400);
    pair.ways[2].most_octets = 1'280;
    pair.change_ways(2);
    check_whole(pair, client, *stream, 12'000'000);
}

TEST_CASE("quic path change: an idle connection goes to and fro as often as it likes") {
    Pair pair = three_ways(10ms, 20ms);
    REQUIRE(pair.connect());
    for (int change = 0; change < 30; ++change) {
        pair.run_for(1s);
        pair.change_ways(change % 2 == 0 ? 2 : 0);
    }
    pair.run_for(1s);
    CHECK(pair.client.count<event::PathChanged>() == 30);
    CHECK(pair.client.count<event::PathFailed>() == 0);
    const std::size_t before = pair.client.datagrams;
    pair.run_for(10s);
    CHECK(pair.client.datagrams == before);  // pings end with the answer
}

TEST_CASE("quic path change: a way that leads nowhere fails, and the next one goes on") {
    Pair pair = three_ways(10ms, 20ms);
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(2'000'000);
    REQUIRE(stream);
    pair.run_for(100ms);
    pair.change_ways(dead);
    pair.run_for(10s);
    CHECK(pair.client.count<event::PathFailed>() == 1);
    CHECK(pair.client.count<event::PathChanged>() == 0);
    const std::size_t before = pair.client.datagrams;
    pair.run_for(5s);
    CHECK(pair.client.datagrams < before + 10);  // probe timeouts that grow
    pair.change_ways(2);
    check_whole(pair, client, *stream, 2'000'000);
}

TEST_CASE("quic path change: before the handshake is confirmed a change makes no difference") {
    Pair pair = three_ways(10ms, 20ms);
    for (int change = 0; change < 50 && pair.client.count<event::Confirmed>() == 0; ++change) {
        pair.run_for(3ms);
        pair.client.way = change % 2 == 0 ? 2 : 0;
        pair.client.connection->change_path(pair.now);
        if (!pair.server.connection) continue;
        pair.server.way = pair.client.way;
        pair.server.connection->change_path(pair.now);
    }
    pair.run_for(1s);
    CHECK(pair.client.count<event::Confirmed>() == 1);
    CHECK(pair.client.count<event::PathFailed>() == 0);
}

TEST_CASE("quic path change: whatever ways there are and when, the body is what was sent") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream dice{crypto::seed_from_number(seed)};
        Pair pair = three_ways(Duration{1ms} * (1 + dice.below(40)),
                               Duration{1ms} * (1 + dice.below(40)), seed);
        pair.ways[0].loss_per_mille = static_cast<unsigned>(dice.below(40));
        pair.ways[2].loss_per_mille = static_cast<unsigned>(dice.below(40));
        pair.ways[2].jitter = Duration{1ms} * dice.below(20);
        BodyServer server{pair};
        BodyClient client{pair};
        REQUIRE(pair.connect());
        const auto stream = client.get(600'000);
        REQUIRE(stream);
        for (int change = 0; change < 12; ++change) {
            pair.run_for(Duration{1ms} * dice.below(80));
            const std::size_t way = dice.below(3);
            if (dice.below(3) > 0) pair.change_way(pair.client, way);
            pair.run_for(Duration{1ms} * dice.below(40));
            if (dice.below(3) > 0) pair.change_way(pair.server, way);
        }
        pair.change_ways(dice.below(2) * 2);
        check_whole(pair, client, *stream, 600'000);
    }
}

}  // namespace
}  // namespace stile::quic
