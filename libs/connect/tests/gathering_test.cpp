// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

std::vector<Sent> requests(const Driven& driven, stun::Method method) {
    std::vector<Sent> found;
    for (const Sent& sent : driven.sent) {
        const auto message = stun::MessageView::parse(BytesView{sent.octets});
        if (message && message->method() == method) found.push_back(sent);
    }
    return found;
}

Bytes answer(const Sent& request, const SocketAddress& mapped) {
    const auto message = stun::MessageView::parse(BytesView{request.octets});
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, stun::Method::Binding,
                                 message->id()};
    builder.add(stun::XorMappedAddress{mapped});
    return builder.finish();
}

Bytes refusal(const Sent& request, stun::ErrorCode error) {
    const auto message = stun::MessageView::parse(BytesView{request.octets});
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::ErrorResponse, message->method(), message->id()};
    builder.add(error);
    return builder.finish();
}

TEST_CASE("connector: without servers gathering is over at once, with the host candidates") {
    Driven driven{config_with({"192.0.2.1:5000", "[2001:db8::1]:5000"})};
    CHECK(driven.count<CandidateGathered>() == 2);
    CHECK(driven.count<GatheringCompleted>() == 1);
    const Description& description = driven.connector.local_description();
    CHECK(description.gathering == Gathering::Complete);
    REQUIRE(description.candidates.size() == 2);
    CHECK(description.candidates[0].address == at("192.0.2.1:5000"));
    CHECK(description.candidates[0].priority > description.candidates[1].priority);
    CHECK(driven.sent.empty());
}

TEST_CASE("connector: without any socket there is nothing to tell, and no harm") {
    Driven driven{config_with({}, {"198.51.100.1:3478"}, {"198.51.100.1:3478"})};
    CHECK(driven.count<GatheringCompleted>() == 1);
    driven.pass(60s);
    CHECK(driven.sent.empty());
    driven.connector.send(driven.now, as_bytes("x"));
    CHECK_FALSE(driven.connector.route());
}

TEST_CASE("connector: a host without IPv4 asks IPv4 servers through the network's NAT64") {
    ConnectorConfig config =
        config_with({"[2001:db8::1]:5000"}, {"198.51.100.1:3478"}, {"198.51.100.2:3478"});
    config.nat64_prefix = Nat64Prefix::well_known();
    Driven driven{config};
    driven.pass(200ms);
    REQUIRE(requests(driven, stun::Method::Allocate).size() == 1);
    CHECK(requests(driven, stun::Method::Allocate).front().path.remote ==
          at("[64:ff9b::198.51.100.2]:3478"));
    const auto asked = requests(driven, stun::Method::Binding);
    REQUIRE(asked.size() == 1);
    const Path path = asked.front().path;
    CHECK(path == Path{at("[2001:db8::1]:5000"), at("[64:ff9b::198.51.100.1]:3478")});
    // What the server sees of it is IPv4.
    driven.receive({path.local, path.remote}, answer(asked.front(), at("203.0.113.1:7000")));
    const auto& found = driven.last<CandidateGathered>().candidate;
    CHECK(found.type == ice::CandidateType::ServerReflexive);
    CHECK(found.address == at("203.0.113.1:7000"));
}

TEST_CASE("connector: through a NAT64 a peer's IPv4 candidate is checked, with IPv4 it is not") {
    for (const bool has_v4 : {false, true}) {
        CAPTURE(has_v4);
        ConnectorConfig config = config_with({"[2001:db8::1]:5000"});
        if (has_v4) config.hosts.push_back(at("192.0.2.1:5000"));
        config.nat64_prefix = Nat64Prefix::well_known();
        Driven driven{config};
        Driven peer{config_with({"203.0.113.9:6000"})};
        Description description = peer.connector.local_description();
        REQUIRE(driven.connector.set_remote_description(driven.now, description));
        driven.pass(200ms);
        const auto checks = requests(driven, stun::Method::Binding);
        REQUIRE(checks.size() == 1);
        CHECK(checks.front().path.remote ==
              at(has_v4 ? "203.0.113.9:6000" : "[64:ff9b::203.0.113.9]:6000"));
    }
}

TEST_CASE("connector: of each family the best socket asks first, the others when that is silent") {
    Driven driven{config_with({"192.0.2.1:5000", "192.0.2.2:5000", "[2001:db8::1]:5000"},
                              {"198.51.100.1:3478", "[2001:db8:f::1]:3478"})};
    driven.pass(limits::first_sources_patience);
    const auto asked = requests(driven, stun::Method::Binding);
    REQUIRE(asked.size() == 3);
    CHECK(asked[0].path == Path{at("192.0.2.1:5000"), at("198.51.100.1:3478")});
    CHECK(asked[1].path == Path{at("[2001:db8::1]:5000"), at("[2001:db8:f::1]:3478")});
    CHECK(asked[2].path == Path{at("192.0.2.2:5000"), at("198.51.100.1:3478")});
    CHECK(asked[0].when == Instant{});
    CHECK(asked[1].when == Instant{} + proposed_ta);
    CHECK(asked[2].when == Instant{} + limits::first_sources_patience);
}

TEST_CASE("connector: once a server has answered the others wait for a route, but not for ever") {
    Driven driven{config_with({"192.168.1.2:5000", "192.168.2.2:5000"}, {"198.51.100.1:3478"})};
    driven.receive(driven.sent[0].path, answer(driven.sent[0], at("203.0.113.1:7000")));
    driven.pass(limits::first_route_patience - 1ms);
    CHECK(driven.sent.size() == 1);
    CHECK(driven.count<GatheringCompleted>() == 0);
    driven.pass(1ms);
    REQUIRE(driven.sent.size() == 2);
    CHECK(driven.sent[1].path == Path{at("192.168.2.2:5000"), at("198.51.100.1:3478")});
}

TEST_CASE("connector: a second server is asked at once, unless a check wants the turn") {
    for (const bool has_checks : {false, true}) {
        Driven driven{config_with({"192.0.2.1:5000"}, {"198.51.100.1:3478", "198.51.100.2:3478"})};
        Driven peer{config_with({"203.0.113.1:6000", "203.0.113.2:6000"}), 2};
        if (has_checks) {
            REQUIRE(driven.connector.set_remote_description(driven.now,
                                                            peer.connector.local_description()));
        }
        driven.pass(100ms);
        REQUIRE(driven.sent.size() == (has_checks ? 4 : 2));
        CHECK(driven.sent[0].path.remote == at("198.51.100.1:3478"));
        CHECK(driven.sent.back().path.remote == at("198.51.100.2:3478"));
        CHECK(driven.sent.back().when == Instant{} + (has_checks ? 3 : 1) * proposed_ta);
    }
}

TEST_CASE("connector: a socket that came later is the first to ask after a restart") {
    Driven driven{config_with({"192.0.2.1:5000", "192.0.2.2:5000"}, {"198.51.100.1:3478"})};
    driven.pass(500ms);
    REQUIRE(driven.connector.add_host(driven.now, at("192.0.2.3:5000")));
    driven.pass(500ms);
    driven.sent.clear();
    driven.connector.restart(driven.now);
    driven.pass(100ms);
    const auto asked = requests(driven, stun::Method::Binding);
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].path.local == at("192.0.2.3:5000"));
    CHECK(asked[1].path.local == at("192.0.2.1:5000"));
}

TEST_CASE("connector: relays are asked for first, one a server") {
    Driven driven{config_with({"192.0.2.1:5000", "192.0.2.2:5000"}, {"198.51.100.1:3478"},
                              {"198.51.100.2:3478"})};
    driven.pass(limits::first_sources_patience);
    REQUIRE(driven.sent.size() == 3);
    CHECK(driven.sent[0].path == Path{at("192.0.2.1:5000"), at("198.51.100.2:3478")});
    CHECK(requests(driven, stun::Method::Allocate).size() == 1);
    CHECK(requests(driven, stun::Method::Binding).size() == 2);
}

TEST_CASE("connector: an answer becomes a reflexive candidate, and the last one ends gathering") {
    Driven driven{config_with({"192.168.1.2:5000"}, {"198.51.100.1:3478"})};
    const auto asked = requests(driven, stun::Method::Binding);
    REQUIRE(asked.size() == 1);
    CHECK(driven.count<GatheringCompleted>() == 0);
    driven.receive(asked[0].path, answer(asked[0], at("203.0.113.1:7000")));
    CHECK(driven.count<GatheringCompleted>() == 1);
    const ice::Candidate& found = driven.last<CandidateGathered>().candidate;
    CHECK(found.type == ice::CandidateType::ServerReflexive);
    CHECK(found.address == at("203.0.113.1:7000"));
    CHECK(found.base == at("192.168.1.2:5000"));
    CHECK(found.related == at("192.168.1.2:5000"));
    // The answer once more changes nothing, and is not the application's.
    CHECK_FALSE(driven.receive(asked[0].path, answer(asked[0], at("203.0.113.9:7000"))));
    CHECK(driven.count<CandidateGathered>() == 2);
}

TEST_CASE("connector: an answer from another address is not believed") {
    Driven driven{config_with({"192.168.1.2:5000"}, {"198.51.100.1:3478"})};
    const auto asked = requests(driven, stun::Method::Binding);
    driven.receive({asked[0].path.local, at("198.51.100.9:3478")},
                   answer(asked[0], at("203.0.113.1:7000")));
    CHECK(driven.count<CandidateGathered>() == 1);
    CHECK(driven.count<GatheringCompleted>() == 0);
}

TEST_CASE("connector: a socket without a NAT has no reflexive candidate beside its own") {
    Driven driven{config_with({"192.0.2.1:5000"}, {"198.51.100.1:3478"})};
    const auto asked = requests(driven, stun::Method::Binding);
    driven.receive(asked[0].path, answer(asked[0], at("192.0.2.1:5000")));
    CHECK(driven.count<CandidateGathered>() == 1);
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector: silent servers hold gathering up for the deadline, and no longer") {
    Driven driven{config_with({"192.168.1.2:5000"}, {"198.51.100.1:3478"}, {"198.51.100.2:3478"})};
    const Duration deadline = limits::source_deadline + 2 * proposed_ta;
    driven.pass(deadline - 1ms);
    CHECK(driven.count<GatheringCompleted>() == 0);
    driven.pass(1ms);
    CHECK(driven.count<GatheringCompleted>() == 1);
    // What comes later is used all the same.
    const auto asked = requests(driven, stun::Method::Binding);
    driven.receive(asked.back().path, answer(asked.back(), at("203.0.113.1:7000")));
    CHECK(driven.last<CandidateGathered>().candidate.address == at("203.0.113.1:7000"));
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector: a server that refuses the relay is named, and the rest goes on") {
    Driven driven{config_with({"192.168.1.2:5000"}, {}, {"198.51.100.2:3478"})};
    const auto asked = requests(driven, stun::Method::Allocate);
    REQUIRE(asked.size() == 1);
    driven.receive(asked[0].path, refusal(asked[0], {.code = 508, .reason = "Full"}));
    REQUIRE(driven.count<RelayFailed>() == 1);
    CHECK(driven.last<RelayFailed>().server == at("198.51.100.2:3478"));
    CHECK(driven.last<RelayFailed>().failure.kind == turn::FailureKind::InsufficientCapacity);
    CHECK(driven.count<GatheringCompleted>() == 1);
    CHECK(driven.connector.local_description().candidates.size() == 1);
    // A restart asks again.
    driven.connector.restart(driven.now);
    driven.pass(10ms);
    CHECK(requests(driven, stun::Method::Allocate).size() == 2);
}

TEST_CASE("connector: loopback sockets are used only where they are admitted") {
    ConnectorConfig config = config_with({"127.0.0.1:5000"}, {"127.0.0.1:3478"});
    Driven refused{config};
    CHECK(refused.connector.local_description().candidates.empty());
    refused.pass(1s);
    CHECK(refused.sent.empty());
    config.loopback = LoopbackCandidates::Admitted;
    Driven admitted{config};
    CHECK(admitted.connector.local_description().candidates.size() == 1);
    CHECK(admitted.sent.size() == 1);
}

TEST_CASE("connector: as many sockets as the limit gather") {
    ConnectorConfig config;
    for (std::size_t i = 0; i < limits::most_hosts; ++i) {
        config.hosts.push_back(
            {IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(i + 1)}), Port{5000}});
    }
    for (std::size_t i = 0; i < limits::most_servers; ++i) {
        config.stun_servers.push_back(
            {IpAddress::v4({198, 51, 100, static_cast<std::uint8_t>(i + 1)}), Port{3478}});
    }
    config.ice.ta = 50ms;
    Driven driven{std::move(config)};
    CHECK(driven.count<CandidateGathered>() == limits::most_hosts);
    driven.pass(4s);
    std::vector<Path> paths;
    for (const Sent& sent : driven.sent) paths.push_back(sent.path);
    std::ranges::sort(paths);
    const auto repeated = std::ranges::unique(paths);
    paths.erase(repeated.begin(), repeated.end());
    CHECK(paths.size() == limits::most_hosts * limits::most_servers);
    // Of one server after the other all sockets: which of them lead out is known soonest so.
    for (std::size_t i = 1; i < limits::most_hosts; ++i) {
        CHECK(driven.sent[i + 1].path.local == driven.connector.hosts()[i]);
        CHECK(driven.sent[i + 1].path.remote == driven.sent[0].path.remote);
    }
    // RFC 8445 Section 14.3: "RTO = MAX (500ms, Ta * (Num-Of-Cands))".
    const auto again =
        std::find_if(driven.sent.begin() + 1, driven.sent.end(),
                     [&](const Sent& sent) { return sent.path == driven.sent[0].path; });
    REQUIRE(again != driven.sent.end());
    CHECK(again->when == Instant{} + 64 * 50ms);
}

TEST_CASE("connector: events that nobody fetches stay within the limit") {
    ConnectorConfig config = config_with({"192.0.2.1:5000"});
    Connector connector{Instant{}, config, random()};
    for (std::size_t i = 0; i < 2 * limits::most_queued_events; ++i) connector.restart(Instant{});
    std::size_t events = 0;
    while (connector.poll_event()) ++events;
    CHECK(events == limits::most_queued_events);
}

}  // namespace
}  // namespace stile::connect
