// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/connect/explanation.hpp>

namespace stile::connect {
namespace {

using namespace test;

// An Allocate is refused with 508, a Binding answered.
Bytes answer(const Sent& request) {
    const auto message = stun::MessageView::parse(BytesView{request.octets});
    REQUIRE(message);
    const bool refused = message->method() == stun::Method::Allocate;
    stun::MessageBuilder builder{
        refused ? stun::Class::ErrorResponse : stun::Class::SuccessResponse, message->method(),
        message->id()};
    if (refused) {
        builder.add(stun::ErrorCode{.code = 508, .reason = "Full"});
    } else {
        builder.add(stun::XorMappedAddress{at("203.0.113.1:7000")});
    }
    return builder.finish();
}

TEST_CASE("connector report: each source with what came back") {
    ConnectorConfig config;
    config.hosts = {at("192.168.1.2:5000")};
    config.stun_servers = {at("198.51.100.1:3478"), at("198.51.100.9:3478")};
    config.turn_servers = {{at("198.51.100.2:3478"), "alice", "secret"}};
    Driven driven{config};
    // The second STUN server's turn is still to come.
    driven.pass(2 * proposed_ta - 1ms);
    auto sources = driven.connector.report().sources;
    REQUIRE(sources.size() == 3);
    CHECK(sources[0].kind == SourceReport::Kind::Turn);
    CHECK(sources[0].outcome == SourceReport::Outcome::Pending);
    CHECK(sources[2].outcome == SourceReport::Outcome::NotAsked);
    CHECK(sources[2].path.remote == at("198.51.100.9:3478"));

    for (const Sent& sent : std::vector{driven.sent}) {
        driven.receive(sent.path, answer(sent));
    }
    sources = driven.connector.report().sources;
    CHECK(describe(sources[0]) == "TURN 198.51.100.2:3478 says 508 Full");
    CHECK(describe(sources[1]) == "STUN 198.51.100.1:3478 sees 203.0.113.1:7000");

    driven.pass(limits::source_deadline + 100ms);
    CHECK(describe(driven.connector.report().sources[2]) ==
          "STUN 198.51.100.9:3478 does not answer");
}

TEST_CASE("connector report: outlives the path with its candidates and pairs") {
    ConnectorConfig config;
    config.hosts = {at("192.168.1.2:5000")};
    config.ice.pac = 1s;
    Driven driven{config};
    Description theirs{.credentials = driven.connector.local_description().credentials,
                       .candidates = {},
                       .gathering = Gathering::Complete};
    theirs.candidates.push_back({.address = at("192.168.7.2:5000"),
                                 .base = at("192.168.7.2:5000"),
                                 .related = {},
                                 .priority = 2,
                                 .foundation = "1"});
    REQUIRE(driven.connector.set_remote_description(driven.now, theirs));
    driven.pass(50s);
    const PathReport report = driven.connector.report();
    driven.connector.release(driven.now);
    CHECK(report.local.size() == 1);
    CHECK(report.remote.size() == 1);
    REQUIRE(report.pairs.size() == 1);
    CHECK(describe(report.pairs[0]) == "requests sent, none was answered");
    const Explanation found = explain(report);
    CHECK(found.outcome == Outcome::NoPath);
    CHECK(found.has(Reason::NoRelay));
}

}  // namespace
}  // namespace stile::connect
