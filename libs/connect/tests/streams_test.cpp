// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "stream_network.hpp"

#include <stile/connect/packet_framing.hpp>

#include <doctest/doctest.h>

namespace stile::connect {
namespace {

using namespace test;

// ---- candidates and connections over TCP -------------------------------------------------------

ConnectorConfig listening(std::string_view ip, std::vector<Listener> listeners,
                          ice::Role role = ice::Role::Controlling) {
    ConnectorConfig config = config_with({std::string{ip} + ":5000"});
    config.listeners = std::move(listeners);
    config.ice.role = role;
    return config;
}

struct Pair {
    Driven left;
    Driven right;
    StreamNetwork network;

    Pair(std::vector<Listener> of_left, std::vector<Listener> of_right, std::uint64_t seed = 1)
        : left(listening("192.0.2.1", of_left), seed),
          right(listening("203.0.113.1", of_right, ice::Role::Controlled), seed + 1000),
          network(left, right, seed) {
        for (const Listener& listener : of_left) {
            network.listeners[0].push_back(listener.address);
        }
        for (const Listener& listener : of_right) {
            network.listeners[1].push_back(listener.address);
        }
    }
    void introduce() {
        REQUIRE(
            left.connector.set_remote_description(left.now, right.connector.local_description()));
        REQUIRE(
            right.connector.set_remote_description(right.now, left.connector.local_description()));
    }
};

const Listener left_passive{*SocketAddress::parse("192.0.2.1:7000"), ice::TcpType::Passive};
const Listener left_open{*SocketAddress::parse("192.0.2.1:7001"), ice::TcpType::SimultaneousOpen};
const Listener right_passive{*SocketAddress::parse("203.0.113.1:8000"), ice::TcpType::Passive};
const Listener right_open{*SocketAddress::parse("203.0.113.1:8001"),
                          ice::TcpType::SimultaneousOpen};

std::size_t tcp_candidates(const Driven& driven, ice::TcpType type) {
    const auto& candidates = driven.connector.local_description().candidates;
    return static_cast<std::size_t>(std::ranges::count_if(
        candidates, [&](const ice::Candidate& each) { return each.tcp_type == type; }));
}

TEST_CASE("connector streams: each listener is a candidate, each address an active one") {
    Driven driven{listening("192.0.2.1", {left_passive, left_open})};
    CHECK(tcp_candidates(driven, ice::TcpType::Passive) == 1);
    CHECK(tcp_candidates(driven, ice::TcpType::SimultaneousOpen) == 1);
    CHECK(tcp_candidates(driven, ice::TcpType::Active) == 1);
}

TEST_CASE("connector streams: whoever hides its addresses offers none over TCP") {
    ConnectorConfig config = listening("192.0.2.1", {left_passive, left_open});
    config.policy = CandidatePolicy::RelayedOnly;
    config.stun_servers = {at("198.51.100.1:3478")};
    Driven driven{config};
    CHECK(driven.connector.local_description().candidates.empty());
    driven.pass(2s);
    CHECK(driven.count<StreamWanted>() == 0);
}

TEST_CASE("connector streams: without a listener nothing is about TCP") {
    Pair pair{{}, {right_passive}};
    pair.introduce();
    pair.network.run(2s);
    CHECK(pair.left.count<StreamWanted>() == 0);
    CHECK(tcp_candidates(pair.left, ice::TcpType::Active) == 0);
}

TEST_CASE("connector streams: where UDP is blocked data flows over TCP, cut wherever it may") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        Pair pair{{left_passive, left_open}, {right_passive, right_open}, seed};
        pair.introduce();
        pair.network.run(1s);
        const auto route = pair.left.connector.route();
        REQUIRE(route);
        REQUIRE(pair.right.connector.route());
        CHECK(route->stream);
        CHECK(route->kind == RouteKind::Direct);
        std::vector<Bytes> packets;
        crypto::RandomStream octets = random(seed + 7);
        for (std::size_t i = 0; i < 20; ++i) {
            packets.emplace_back(1 + octets.below(3000), std::byte{0x45});
            pair.left.connector.send(pair.left.now, packets.back());
            pair.right.connector.send(pair.right.now, packets.back());
        }
        pair.network.run(100ms);
        CHECK(pair.right.taken == packets);
        CHECK(pair.left.taken == packets);
    }
}

TEST_CASE("connector streams: UDP is preferred, and TCP's connections do not stay") {
    Pair pair{{left_passive, left_open}, {right_passive, right_open}};
    pair.network.datagrams = StreamNetwork::Datagrams::Pass;
    pair.introduce();
    pair.network.run(5s);
    REQUIRE(pair.left.connector.state() == ice::State::Completed);
    CHECK_FALSE(pair.left.connector.route()->stream);
    pair.network.run(20s);
    CHECK(pair.network.open() == 0);
}

TEST_CASE("connector streams: both open at once, where neither lets strangers in") {
    Pair pair{{left_open}, {right_open}};
    pair.network.listening = StreamNetwork::Listening::Firewalled;
    pair.introduce();
    pair.network.run(1s);
    REQUIRE(pair.left.connector.route());
    CHECK(pair.left.connector.route()->stream);
    CHECK(pair.left.connector.route()->wire == Path{left_open.address, right_open.address});
}

TEST_CASE("connector streams: the end of the connection is the end of the route") {
    Pair pair{{left_passive}, {right_passive}};
    pair.introduce();
    pair.network.run(15s);
    REQUIRE(pair.left.connector.state() == ice::State::Completed);
    pair.network.cut();
    pair.network.run(1ms);
    CHECK_FALSE(pair.left.connector.route());
    CHECK(pair.left.count<RouteLost>() == 1);
    // Another pair may take over for a while.
    pair.network.run(5s);
    CHECK(pair.left.count<PathFailed>() == 1);
}

TEST_CASE("connector streams: a restart keeps the connection until there is a new route") {
    Pair pair{{left_passive}, {right_passive}};
    pair.introduce();
    pair.network.run(15s);
    REQUIRE(pair.left.connector.state() == ice::State::Completed);
    pair.left.connector.restart(pair.left.now);
    pair.right.connector.restart(pair.right.now);
    CHECK(pair.left.connector.route());
    pair.introduce();
    pair.network.run(30s);
    REQUIRE(pair.left.connector.route());
    CHECK(pair.left.connector.state() == ice::State::Completed);
    CHECK(pair.network.open() == 1);
}

TEST_CASE("connector streams: released, nothing is open and nothing is taken") {
    Pair pair{{left_passive}, {right_passive}};
    pair.introduce();
    pair.network.run(1s);
    REQUIRE(pair.left.connector.route());
    pair.left.connector.release(pair.left.now);
    pair.network.run(1s);
    CHECK(pair.network.open() == 0);
    CHECK_FALSE(pair.left.connector.handle_stream_accepted(
        pair.left.now, {left_passive.address, at("203.0.113.9:9000")}));
}

TEST_CASE("connector streams: a stranger's connection is closed for what it says") {
    Pair pair{{left_passive}, {right_passive}};
    pair.introduce();
    const auto stranger = pair.left.connector.handle_stream_accepted(
        pair.left.now, {left_passive.address, at("203.0.113.9:9000")});
    REQUIRE(stranger);
    pair.left.connector.handle_stream_bytes(pair.left.now, *stranger,
                                            as_bytes("GET / HTTP/1.1\r\n"));
    Bytes frame = framed(as_bytes("no STUN"));
    pair.left.settle();
    CHECK(pair.left.taken.empty());
    const auto second = pair.left.connector.handle_stream_accepted(
        pair.left.now, {left_passive.address, at("203.0.113.9:9001")});
    REQUIRE(second);
    pair.left.connector.handle_stream_bytes(pair.left.now, *second, frame);
    pair.left.settle();
    CHECK(pair.left.last<StreamUnwanted>().stream == *second);
    CHECK(pair.left.taken.empty());
}

TEST_CASE("connector streams: what nobody fetches is lost beyond the limit") {
    Pair pair{{left_passive}, {right_passive}};
    pair.introduce();
    pair.network.run(1s);
    const auto route = pair.left.connector.route();
    REQUIRE(route);
    REQUIRE(route->stream);
    Bytes many;
    for (std::size_t i = 0; i < limits::most_queued_received + 1; ++i) {
        const Bytes frame = framed(as_bytes("E"));
        many.insert(many.end(), frame.begin(), frame.end());
    }
    pair.left.taken.clear();
    pair.left.connector.handle_stream_bytes(pair.left.now, *route->stream, many);
    pair.left.settle();
    CHECK(pair.left.taken.size() == limits::most_queued_received);
}

TEST_CASE("connector streams: a listener that goes takes its connections with it") {
    Pair pair{{left_passive}, {right_passive}};
    pair.introduce();
    pair.network.run(15s);
    REQUIRE(pair.left.connector.route());
    pair.left.connector.remove_listener(pair.left.now, left_passive);
    pair.left.settle();
    CHECK(tcp_candidates(pair.left, ice::TcpType::Passive) == 0);
    CHECK(tcp_candidates(pair.left, ice::TcpType::Active) == 0);
    CHECK_FALSE(pair.left.connector.route());
}

TEST_CASE("connector streams: listeners are limited") {
    Driven driven{config_with({"192.0.2.1:5000"})};
    for (std::uint16_t i = 0; i < limits::most_listeners; ++i) {
        CHECK(driven.connector.add_listener(
            driven.now, {{at("192.0.2.1:1").ip, Port{static_cast<std::uint16_t>(7000 + i)}},
                         ice::TcpType::Passive}));
    }
    CHECK_FALSE(driven.connector.add_listener(driven.now, left_open));
}

// ---- STUN over TCP -----------------------------------------------------------------------------

Bytes mapped(BytesView request, const SocketAddress& address) {
    const auto message = stun::MessageView::parse(request);
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, stun::Method::Binding,
                                 message->id()};
    builder.add(stun::XorMappedAddress{address});
    return builder.finish();
}

TEST_CASE("connector streams: a STUN server says over TCP how a listener looks from outside") {
    ConnectorConfig config =
        listening("10.0.0.1", {{at("10.0.0.1:7001"), ice::TcpType::SimultaneousOpen}});
    config.stun_servers = {at("198.51.100.1:3478")};
    Driven driven{config};
    driven.pass(100ms);
    REQUIRE(driven.count<StreamWanted>() == 1);
    const StreamWanted wanted = driven.last<StreamWanted>();
    CHECK(wanted.local_port == StreamWanted::LocalPort::Shared);
    CHECK(wanted.path == Path{at("10.0.0.1:7001"), at("198.51.100.1:3478")});
    driven.connector.handle_stream_opened(driven.now, wanted.stream, wanted.path);
    driven.settle();
    REQUIRE(driven.written.size() == 1);
    const Bytes answer = mapped(driven.written[0].octets, at("203.0.113.5:40001"));
    // In two pieces, as streams may cut.
    driven.connector.handle_stream_bytes(driven.now, wanted.stream, BytesView{answer}.first(7));
    driven.connector.handle_stream_bytes(driven.now, wanted.stream, BytesView{answer}.subspan(7));
    driven.settle();
    const ice::Candidate found = driven.last<CandidateGathered>().candidate;
    CHECK(found.type == ice::CandidateType::ServerReflexive);
    CHECK(found.tcp_type == ice::TcpType::SimultaneousOpen);
    CHECK(found.address == at("203.0.113.5:40001"));
    CHECK(found.base == at("10.0.0.1:7001"));
    // RFC 6544 Section 4.1: until ICE is through.
    CHECK(driven.count<StreamUnwanted>() == 0);
}

TEST_CASE("connector streams: gathering does not wait long for STUN servers over TCP") {
    ConnectorConfig config = listening("10.0.0.1", {{at("10.0.0.1:7000"), ice::TcpType::Passive}});
    config.stun_servers = {at("198.51.100.1:3478")};
    Driven driven{config};
    REQUIRE(driven.sent.size() == 1);
    driven.receive({driven.sent[0].path.local, driven.sent[0].path.remote},
                   mapped(driven.sent[0].octets, at("203.0.113.5:40000")));
    driven.pass(900ms);
    CHECK(driven.count<GatheringCompleted>() == 0);
    driven.pass(200ms);
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector streams: a STUN server that refuses connections delays nothing") {
    ConnectorConfig config = listening("10.0.0.1", {{at("10.0.0.1:7000"), ice::TcpType::Passive}});
    config.stun_servers = {at("198.51.100.1:3478")};
    Driven driven{config};
    driven.receive({driven.sent[0].path.local, driven.sent[0].path.remote},
                   mapped(driven.sent[0].octets, at("203.0.113.5:40000")));
    driven.pass(10ms);
    driven.connector.handle_stream_failed(driven.now, driven.last<StreamWanted>().stream,
                                          ice::ConnectFailure::Refused);
    driven.settle();
    CHECK(driven.count<GatheringCompleted>() == 1);
}

}  // namespace
}  // namespace stile::connect
