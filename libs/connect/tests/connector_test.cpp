// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Two connectors on an open network. NATs, relays and loss: sim/sessions.
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

ConnectorConfig config_of(std::string_view host, ice::Role role) {
    ConnectorConfig config = config_with({host});
    config.ice.role = role;
    return config;
}

struct Pair {
    Driven left{config_of("192.0.2.1:5000", ice::Role::Controlling), 1};
    Driven right{config_of("203.0.113.1:6000", ice::Role::Controlled), 2};

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
        REQUIRE(right.connector.state() == ice::State::Completed);
    }
};

TEST_CASE("connector: two hosts find each other, and the route says how") {
    Pair pair;
    pair.connect();
    const Route route = pair.left.connector.route().value();
    CHECK(route.pair == Path{at("192.0.2.1:5000"), at("203.0.113.1:6000")});
    CHECK(route.wire == route.pair);
    CHECK(route.kind == RouteKind::Direct);
    CHECK_FALSE(route.channel);
    CHECK(pair.left.last<RouteChanged>().route == route);
    CHECK(pair.right.last<RouteChanged>().route.pair ==
          Path{at("203.0.113.1:6000"), at("192.0.2.1:5000")});
}

TEST_CASE("connector: application datagrams pass unchanged, what looks like STUN does not") {
    Pair pair;
    pair.connect();
    pair.left.connector.send(pair.left.now, as_bytes("hello"));
    const auto out = pair.left.connector.poll_transmit();
    REQUIRE(out);
    CHECK(as_text(out->payload) == "hello");
    const Path back{out->path.remote, out->path.local};
    const Bytes octets = to_bytes(out->payload);
    const auto received = pair.right.receive(back, octets);
    REQUIRE(received);
    CHECK(as_text(received->payload) == "hello");
    CHECK(received->payload.data() == octets.data());
    CHECK(received->pair == back);

    stun::MessageBuilder stray{stun::Class::Request, stun::Method::Binding, {}};
    CHECK_FALSE(pair.right.receive(back, stray.finish()));
}

TEST_CASE("connector: without a route what is sent is lost") {
    Pair pair;
    pair.left.connector.send(pair.left.now, as_bytes("early"));
    CHECK_FALSE(pair.left.connector.poll_transmit());
}

TEST_CASE("connector: datagrams that nobody fetches are lost beyond the limit") {
    Pair pair;
    pair.connect();
    for (std::size_t i = 0; i < limits::most_queued_transmits + 1; ++i) {
        pair.left.connector.send(pair.left.now, as_bytes("x"));
    }
    std::size_t sent = 0;
    while (const auto out = pair.left.connector.poll_transmit()) {
        if (as_text(out->payload) == "x") ++sent;
    }
    CHECK(sent == limits::most_queued_transmits);
}

TEST_CASE("connector: a description is refused for its credentials, and changes nothing") {
    Pair pair;
    Description bad = pair.right.connector.local_description();
    bad.credentials.password = "short";
    CHECK(pair.left.connector.set_remote_description(pair.left.now, bad).error() ==
          DescriptionError::BadCredentials);
    pair.connect();
    Description other = pair.right.connector.local_description();
    other.credentials.fragment += "x";
    CHECK(pair.left.connector.set_remote_description(pair.left.now, other).error() ==
          DescriptionError::OtherCredentials);
    CHECK(pair.left.connector.route());
    // The same again is no error: a signalling may repeat itself.
    CHECK(pair.left.connector.set_remote_description(pair.left.now,
                                                     pair.right.connector.local_description()));
}

TEST_CASE("connector: candidates may follow one by one") {
    Pair pair;
    Description early = pair.right.connector.local_description();
    const ice::Candidate late = early.candidates.front();
    early.candidates.clear();
    early.gathering = Gathering::Ongoing;
    REQUIRE(pair.left.connector.set_remote_description(pair.left.now, early));
    REQUIRE(pair.right.connector.set_remote_description(pair.right.now,
                                                        pair.left.connector.local_description()));
    CHECK(pair.left.connector.add_remote_candidate(pair.left.now, late));
    pair.left.connector.end_of_remote_candidates(pair.left.now);
    CHECK_FALSE(pair.left.connector.add_remote_candidate(pair.left.now, late));
    exchange(pair.left, pair.right, 2s);
    CHECK(pair.left.connector.state() == ice::State::Completed);
}

TEST_CASE("connector: a peer that falls silent loses the route after 30 s, then the path fails") {
    Pair pair;
    pair.connect();
    pair.left.pass(27s);
    CHECK(pair.left.connector.route());
    pair.left.pass(4s);
    CHECK_FALSE(pair.left.connector.route());
    CHECK(pair.left.count<RouteLost>() == 1);
    REQUIRE(pair.left.count<PathFailed>() == 1);
    CHECK(pair.left.last<PathFailed>().reason == ice::FailureReason::ConsentLost);
}

TEST_CASE("connector: nobody at the other end is a failed path") {
    Pair pair;
    pair.introduce();
    pair.left.pass(60s);
    REQUIRE(pair.left.count<PathFailed>() == 1);
    CHECK(pair.left.last<PathFailed>().reason == ice::FailureReason::NoValidPair);
}

TEST_CASE("connector: a restart has new credentials, the same candidates, and keeps the route") {
    Pair pair;
    pair.connect();
    const Description before = pair.left.connector.local_description();
    for (Driven* each : {&pair.left, &pair.right}) each->connector.restart(each->now);
    const Description& after = pair.left.connector.local_description();
    CHECK(after.credentials != before.credentials);
    REQUIRE(after.candidates.size() == before.candidates.size());
    CHECK(after.candidates.front().address == before.candidates.front().address);
    CHECK(after.gathering == Gathering::Complete);
    CHECK(pair.left.connector.route());
    pair.connect();
}

TEST_CASE("connector: a restart that abandons has no route until a new one is found") {
    Pair pair;
    pair.connect();
    for (Driven* each : {&pair.left, &pair.right}) {
        each->connector.restart(each->now, ice::PreviousPair::Abandon);
        CHECK_FALSE(each->connector.route());
    }
    pair.connect();
    CHECK(pair.left.connector.route());
}

TEST_CASE("connector: a released one is silent for good") {
    Pair pair;
    pair.connect();
    pair.left.connector.release(pair.left.now);
    CHECK_FALSE(pair.left.connector.route());
    CHECK_FALSE(pair.left.settle());
    const std::size_t sent = pair.left.sent.size();
    exchange(pair.left, pair.right, 60s);
    CHECK(pair.left.sent.size() == sent);
    CHECK_FALSE(pair.right.connector.route());
}

}  // namespace
}  // namespace stile::connect
