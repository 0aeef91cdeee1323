// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Sockets that come and go. Whole switches of an uplink: sim/sessions.
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

std::vector<Sent> requests(const Driven& driven, stun::Method method, const SocketAddress& from) {
    std::vector<Sent> found;
    for (const Sent& sent : driven.sent) {
        const auto message = stun::MessageView::parse(BytesView{sent.octets});
        if (message && message->method() == method && sent.path.local == from) {
            found.push_back(sent);
        }
    }
    return found;
}

Bytes allocated(const Sent& request, const SocketAddress& relayed, const SocketAddress& mapped) {
    const auto message = stun::MessageView::parse(BytesView{request.octets});
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, stun::Method::Allocate,
                                 message->id()};
    builder.add(stun::XorRelayedAddress{relayed});
    builder.add(stun::XorMappedAddress{mapped});
    builder.add(stun::Lifetime{std::chrono::seconds{600}});
    return builder.finish();
}

bool tells(const Driven& driven, const SocketAddress& address) {
    const auto& candidates = driven.connector.local_description().candidates;
    return std::ranges::any_of(candidates,
                               [&](const auto& each) { return each.address == address; });
}

struct Pair {
    Driven left{config_with({"192.0.2.1:5000"}), 1};
    Driven right{controlled(), 2};

    static ConnectorConfig controlled() {
        ConnectorConfig config = config_with({"203.0.113.1:6000"});
        config.ice.role = ice::Role::Controlled;
        return config;
    }
    void introduce() {
        REQUIRE(
            left.connector.set_remote_description(left.now, right.connector.local_description()));
        REQUIRE(
            right.connector.set_remote_description(right.now, left.connector.local_description()));
    }
    void connect() {
        introduce();
        exchange(left, right, 2s);
        REQUIRE(left.connector.state() == ice::State::Completed);
    }
};

TEST_CASE("connector hosts: a socket more is a candidate more, and asks the servers") {
    Driven driven{config_with({"192.0.2.1:5000"}, {"198.51.100.1:3478"})};
    CHECK(driven.connector.add_host(driven.now, at("192.0.2.9:5001")));
    CHECK(tells(driven, at("192.0.2.9:5001")));
    driven.pass(200ms);
    CHECK(driven.last<CandidateGathered>().candidate.address == at("192.0.2.9:5001"));
    CHECK(requests(driven, stun::Method::Binding, at("192.0.2.9:5001")).size() == 1);
    // Told twice, it is one.
    CHECK_FALSE(driven.connector.add_host(driven.now, at("192.0.2.9:5001")));
    CHECK(driven.connector.local_description().candidates.size() == 2);
}

TEST_CASE("connector hosts: a loopback socket is no candidate here either") {
    Driven driven{config_with({"192.0.2.1:5000"}, {"198.51.100.1:3478"})};
    CHECK(driven.connector.add_host(driven.now, at("127.0.0.1:5001")));
    driven.pass(200ms);
    CHECK_FALSE(tells(driven, at("127.0.0.1:5001")));
    CHECK(requests(driven, stun::Method::Binding, at("127.0.0.1:5001")).empty());
}

TEST_CASE("connector hosts: sockets are limited") {
    Driven driven{config_with({"192.0.2.1:5000"})};
    for (std::size_t i = 1; i < limits::most_hosts; ++i) {
        const SocketAddress host{IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(i + 1)}),
                                 Port{5000}};
        CHECK(driven.connector.add_host(driven.now, host));
    }
    CHECK_FALSE(driven.connector.add_host(driven.now, at("192.0.2.99:5000")));
    driven.connector.remove_host(driven.now, at("192.0.2.1:5000"));
    CHECK(driven.connector.add_host(driven.now, at("192.0.2.99:5000")));
}

TEST_CASE("connector hosts: what is gone is told no longer, asks nobody and sends nothing") {
    Driven driven{config_with({"192.0.2.1:5000", "192.0.2.2:5000"},
                              {"198.51.100.1:3478", "198.51.100.2:3478"})};
    driven.connector.remove_host(driven.now, at("192.0.2.1:5000"));
    CHECK_FALSE(tells(driven, at("192.0.2.1:5000")));
    driven.sent.clear();
    driven.pass(60s);
    CHECK(requests(driven, stun::Method::Binding, at("192.0.2.1:5000")).empty());
    CHECK_FALSE(requests(driven, stun::Method::Binding, at("192.0.2.2:5000")).empty());
    CHECK(driven.connector.local_description().gathering == Gathering::Complete);
    // One that was never there changes nothing.
    driven.connector.remove_host(driven.now, at("192.0.2.77:5000"));
    CHECK(tells(driven, at("192.0.2.2:5000")));
}

TEST_CASE("connector hosts: the route's socket goes, and with it the route and the path") {
    Pair pair;
    pair.connect();
    pair.left.connector.remove_host(pair.left.now, at("192.0.2.1:5000"));
    pair.left.settle();
    CHECK_FALSE(pair.left.connector.route());
    CHECK(pair.left.count<RouteLost>() == 1);
    REQUIRE(pair.left.count<PathFailed>() == 1);
    CHECK(pair.left.last<PathFailed>().reason == ice::FailureReason::ConsentLost);
    pair.left.sent.clear();
    pair.left.connector.send(pair.left.now, as_bytes("lost"));
    pair.left.pass(60s);
    CHECK(pair.left.sent.empty());
}

TEST_CASE("connector hosts: a restart from another socket finds a way again") {
    Pair pair;
    pair.connect();
    CHECK(pair.left.connector.add_host(pair.left.now, at("192.0.2.9:5001")));
    pair.left.connector.remove_host(pair.left.now, at("192.0.2.1:5000"));
    for (Driven* each : {&pair.left, &pair.right}) each->connector.restart(each->now);
    pair.connect();
    CHECK(pair.left.connector.route()->pair.local == at("192.0.2.9:5001"));
    CHECK(pair.right.connector.route()->pair.remote == at("192.0.2.9:5001"));
}

TEST_CASE("connector hosts: make before break: the old way is used until the new one is there") {
    Pair pair;
    pair.connect();
    CHECK(pair.left.connector.add_host(pair.left.now, at("192.0.2.9:5001")));
    for (Driven* each : {&pair.left, &pair.right}) each->connector.restart(each->now);
    CHECK(pair.left.connector.route()->pair.local == at("192.0.2.1:5000"));
    pair.introduce();
    exchange(pair.left, pair.right, 2s);
    pair.left.events.clear();
    pair.left.connector.remove_host(pair.left.now, at("192.0.2.1:5000"));
    // It was nominated meanwhile, but the other one takes over without a further restart.
    exchange(pair.left, pair.right, 2s);
    REQUIRE(pair.left.connector.route());
    CHECK(pair.left.connector.route()->pair.local == at("192.0.2.9:5001"));
    CHECK(pair.right.connector.route()->pair.remote == at("192.0.2.9:5001"));
    CHECK(pair.left.count<PathFailed>() == 0);
}

TEST_CASE("connector hosts: the relay goes with its socket, and is asked for from another one") {
    Driven driven{config_with({"192.0.2.1:5000", "192.0.2.2:5000"}, {}, {"198.51.100.2:3478"})};
    const auto asked = requests(driven, stun::Method::Allocate, at("192.0.2.1:5000"));
    REQUIRE(asked.size() == 1);
    driven.receive({asked[0].path.local, asked[0].path.remote},
                   allocated(asked[0], at("198.51.100.2:50000"), at("192.0.2.1:5000")));
    REQUIRE(tells(driven, at("198.51.100.2:50000")));
    driven.connector.remove_host(driven.now, at("192.0.2.1:5000"));
    driven.settle();
    CHECK_FALSE(tells(driven, at("198.51.100.2:50000")));
    CHECK(driven.last<RelayFailed>().failure.kind == turn::FailureKind::Unreachable);
    driven.pass(200ms);
    const auto again = requests(driven, stun::Method::Allocate, at("192.0.2.2:5000"));
    REQUIRE(again.size() == 1);
    driven.receive({again[0].path.local, again[0].path.remote},
                   allocated(again[0], at("198.51.100.2:50001"), at("192.0.2.2:5000")));
    CHECK(tells(driven, at("198.51.100.2:50001")));
}

TEST_CASE(
    "connector relays: one that is not used hears from us every 15 s, and while it is there") {
    Driven driven{config_with({"192.0.2.1:5000"}, {}, {"198.51.100.2:3478"})};
    const auto asked = requests(driven, stun::Method::Allocate, at("192.0.2.1:5000"));
    REQUIRE(asked.size() == 1);
    CHECK(driven.count<RelayFailed>() == 0);
    driven.receive({asked[0].path.local, asked[0].path.remote},
                   allocated(asked[0], at("198.51.100.2:50000"), at("192.0.2.1:5000")));
    const std::size_t before = driven.sent.size();
    driven.pass(5min);
    const auto alive = requests(driven, stun::Method::Binding, at("192.0.2.1:5000"));
    REQUIRE(alive.size() >= 19);
    CHECK(alive.size() <= 20);
    for (const Sent& each : alive) CHECK(each.path.remote == at("198.51.100.2:3478"));
    // No two datagrams to the server further apart.
    Instant last{};
    for (std::size_t i = before; i < driven.sent.size(); ++i) {
        CHECK(driven.sent[i].when - last <= limits::relay_keepalive);
        last = driven.sent[i].when;
    }
    // A late wake-up sends one, not a burst.
    driven.sent.clear();
    driven.now += 100s;
    driven.connector.handle_timeout(driven.now);
    driven.settle();
    CHECK(requests(driven, stun::Method::Binding, at("192.0.2.1:5000")).size() == 1);
    driven.connector.release(driven.now);
    driven.sent.clear();
    driven.pass(60s);
    CHECK(requests(driven, stun::Method::Binding, at("192.0.2.1:5000")).empty());
}

TEST_CASE("connector relays: one that failed is left alone") {
    Driven driven{config_with({"192.0.2.1:5000"}, {}, {"198.51.100.2:3478"})};
    driven.pass(2min);
    REQUIRE(driven.count<RelayFailed>() == 1);
    CHECK(requests(driven, stun::Method::Binding, at("192.0.2.1:5000")).empty());
}

TEST_CASE("connector hosts: a server that was silent is asked again from a new socket") {
    Driven driven{config_with({"192.0.2.1:5000"}, {}, {"198.51.100.2:3478"})};
    driven.pass(60s);
    REQUIRE(driven.count<RelayFailed>() == 1);
    CHECK(driven.connector.add_host(driven.now, at("192.0.2.2:5000")));
    driven.connector.remove_host(driven.now, at("192.0.2.1:5000"));
    driven.pass(200ms);
    CHECK(requests(driven, stun::Method::Allocate, at("192.0.2.2:5000")).size() == 1);
}

TEST_CASE("connector hosts: a new network with IPv4 needs no NAT64, and one without has it again") {
    ConnectorConfig config = config_with({"[2001:db8::1]:5000"}, {"198.51.100.1:3478"});
    config.nat64_prefix = Nat64Prefix::well_known();
    Driven driven{config};
    driven.pass(200ms);
    CHECK(driven.connector.add_host(driven.now, at("192.0.2.1:5000")));
    driven.connector.remove_host(driven.now, at("[2001:db8::1]:5000"));
    driven.pass(200ms);
    const auto asked = requests(driven, stun::Method::Binding, at("192.0.2.1:5000"));
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].path.remote == at("198.51.100.1:3478"));
    driven.connector.remove_host(driven.now, at("192.0.2.1:5000"));
    CHECK(driven.connector.add_host(driven.now, at("[2001:db8:2::1]:5000")));
    driven.pass(200ms);
    const auto translated = requests(driven, stun::Method::Binding, at("[2001:db8:2::1]:5000"));
    REQUIRE(translated.size() == 1);
    CHECK(translated[0].path.remote == at("[64:ff9b::198.51.100.1]:3478"));
}

TEST_CASE("connector hosts: after release sockets may close, and none is added") {
    Driven driven{config_with({"192.0.2.1:5000"}, {}, {"198.51.100.2:3478"})};
    driven.connector.release(driven.now);
    driven.connector.remove_host(driven.now, at("192.0.2.1:5000"));
    CHECK_FALSE(driven.connector.add_host(driven.now, at("192.0.2.2:5000")));
    driven.sent.clear();
    CHECK_FALSE(driven.settle());
    CHECK(driven.sent.empty());
}

}  // namespace
}  // namespace stile::connect
