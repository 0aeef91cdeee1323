// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "pair.hpp"

#include <doctest/doctest.h>
#include <stile/quic/limits.hpp>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace stile::quic {
namespace {

const event::Closed& closed(const Pair::Side& side) {
    const auto* found = side.find<event::Closed>();
    REQUIRE(found != nullptr);
    CHECK(side.count<event::Closed>() == 1);
    return *found;
}

TEST_CASE("quic lifetime: a close is told to both sides with its code and text") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    pair.server.connection->close(pair.now, no_error, "done");
    pair.server.connection->close(pair.now, internal_error, "again");
    pair.run_for(20s);
    CHECK(closed(pair.server).reason == CloseReason::ClosedHere);
    CHECK(closed(pair.client).reason == CloseReason::ClosedByPeer);
    CHECK(closed(pair.client).code == no_error.value);
    CHECK(closed(pair.client).text == "done");
    CHECK_FALSE(pair.client.connection->poll_timeout());
    CHECK_FALSE(pair.server.connection->poll_timeout());
    CHECK(pair.client.connection->request({.method = "GET"}, More::No).error() ==
          RequestError::NotReady);
}

TEST_CASE("quic lifetime: a close's text is cut at its limit") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    pair.client.connection->close(pair.now, no_error, std::string(most_reason_octets + 1, 'x'));
    pair.run_for(1s);
    CHECK(closed(pair.server).text == std::string(most_reason_octets, 'x'));
}

TEST_CASE("quic lifetime: a close that is lost is said again to whoever still sends") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    REQUIRE(client.get(20'000'000));
    pair.run_for(100ms);
    pair.link().loss_per_mille = 1000;
    pair.client.connection->close(pair.now, request_cancelled);
    pair.run_for(1ms);
    pair.link().loss_per_mille = 0;
    pair.run_for(300ms);
    CHECK(closed(pair.server).reason == CloseReason::ClosedByPeer);
    CHECK(closed(pair.server).code == request_cancelled.value);
}

TEST_CASE("quic lifetime: a close before the handshake is over is a close too") {
    Pair pair{{}};
    pair.run_until(Instant{} + 15ms);  // the server has seen the first packet
    pair.server.connection->close(pair.now, no_error, "busy");
    pair.run_for(2s);
    CHECK(closed(pair.client).reason == CloseReason::ClosedByPeer);
    CHECK(closed(pair.server).reason == CloseReason::ClosedHere);
}

TEST_CASE("quic lifetime: silence ends it at the idle timeout, on both sides, without a word") {
    PairConfig config;
    config.client.idle_timeout = 2s;
    Pair pair{config};
    REQUIRE(pair.connect());
    pair.run_for(500ms);
    const std::size_t before = pair.client.datagrams + pair.server.datagrams;
    pair.run_for(1s);
    CHECK(pair.client.count<event::Closed>() == 0);
    pair.run_for(2s);
    CHECK(closed(pair.client).reason == CloseReason::IdleTimeout);
    CHECK(closed(pair.server).reason == CloseReason::IdleTimeout);
    CHECK(pair.client.datagrams + pair.server.datagrams == before);
}

TEST_CASE("quic lifetime: a keep-alive keeps it") {
    PairConfig config;
    config.client.idle_timeout = 2s;
    config.client.keep_alive = 800ms;
    Pair pair{config};
    REQUIRE(pair.connect());
    pair.run_for(20s);
    CHECK(pair.client.count<event::Closed>() == 0);
    CHECK(pair.server.count<event::Closed>() == 0);
}

TEST_CASE("quic lifetime: a peer that vanishes in mid-transfer is noticed by the idle timeout") {
    PairConfig config;
    config.client.idle_timeout = 5s;
    Pair pair{config};
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    REQUIRE(client.get(20'000'000));
    pair.run_for(100ms);
    pair.drop_all = true;
    pair.run_for(30s);
    CHECK(closed(pair.client).reason == CloseReason::IdleTimeout);
    CHECK(closed(pair.server).reason == CloseReason::IdleTimeout);
}

TEST_CASE("quic lifetime: an initial round trip of nothing is taken for the least there is") {
    PairConfig config;
    config.client.initial_rtt = Duration{};
    config.server.initial_rtt = Duration{};
    Pair pair{config};
    CHECK(pair.connect());
}

TEST_CASE("quic lifetime: early, late and repeated timeouts do no harm") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    REQUIRE(client.get(500'000));
    for (int i = 0; i < 400; ++i) {
        pair.client.connection->handle_timeout(pair.now);
        pair.server.connection->handle_timeout(pair.now);
        pair.run_for(1ms);
        pair.client.connection->handle_timeout(pair.now);
    }
    CHECK(client.closed == 1);
    CHECK(client.wrong == 0);
}

TEST_CASE("quic lifetime: garbage and strangers' datagrams are dropped") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    const auto stream = client.get(200'000);
    REQUIRE(stream);
    crypto::RandomStream random{crypto::seed_from_number(77)};
    for (int i = 0; i < 2'000; ++i) {
        const Bytes garbage = random.bytes(random.below(1'500));
        pair.client.connection->handle_datagram(pair.now, garbage);
        pair.server.connection->handle_datagram(pair.now, garbage);
        if (i % 20 == 0) pair.run_for(1ms);
    }
    REQUIRE(pair.run_until([&] { return client.closed == 1; }));
    CHECK(client.received[*stream] == 200'000);
    CHECK(client.wrong == 0);
}

TEST_CASE("quic lifetime: datagrams with any octet changed are dropped or end it, never worse") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        Connection client{Instant{}, {.credentials = alice().credentials(bob())}, random.fork()};
        std::optional<Connection> server;
        for (int round = 0; round < 6; ++round) {
            while (const auto batch = client.poll_transmit(Instant{})) {
                Bytes octets = to_bytes(batch->payload);
                if (const auto initial = read_initial(octets); initial && !server) {
                    server.emplace(Instant{}, Config{.credentials = bob().credentials(alice())},
                                   *initial, random.fork());
                }
                if (!server) continue;
                octets[random.below(octets.size())] ^= std::byte{0x55};
                server->handle_datagram(Instant{}, octets);
                server->handle_datagram(Instant{}, batch->payload);
            }
            while (const auto batch = server ? server->poll_transmit(Instant{}) : std::nullopt) {
                Bytes octets = to_bytes(batch->payload);
                octets[random.below(octets.size())] ^= std::byte{0x55};
                client.handle_datagram(Instant{}, octets);
                client.handle_datagram(Instant{}, batch->payload);
            }
            while (client.poll_event()) {
            }
        }
    }
}

TEST_CASE("quic lifetime: batches keep their promise of equal segments") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    const auto stream = pair.client.connection->request(
        {.method = "PUT", .scheme = "https", .authority = "bob", .path = "/"}, More::Yes);
    REQUIRE(stream);
    pair.run_for(50ms);
    REQUIRE(pair.client.connection->push_body(*stream, Bytes(100'000)) == SendResult::Taken);
    std::size_t batches = 0;
    while (const auto batch = pair.client.connection->poll_transmit(pair.now, 4)) {
        ++batches;
        CHECK(batch->segments() <= 4);
        CHECK(batch->segment_octets <= most_datagram_octets);
        CHECK(batch->payload.size() <= most_batch_octets);
    }
    CHECK(batches >= 2);
}

#ifdef __SANITIZE_ADDRESS__
TEST_CASE("quic lifetime: a connection that ends among lost packets leaves no memory behind") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        PairConfig config;
        config.seed = seed;
        config.link = {.delay = 10ms, .jitter = 15ms, .loss_per_mille = 50};
        Pair pair{config};
        BodyServer server{pair};
        BodyClient client{pair};
        server.chunk_octets = 100;  // many pieces a packet
        REQUIRE(pair.connect());
        REQUIRE(client.get(1'000'000));
        pair.run_for(300ms);
        pair.change_ways(0);
        pair.run_for(30ms);
    }
    CHECK(__lsan_do_recoverable_leak_check() == 0);
}
#endif

}  // namespace
}  // namespace stile::quic
