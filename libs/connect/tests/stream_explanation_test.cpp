// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/connect/explanation.hpp>

namespace stile::connect {
namespace {

using namespace test;
using turn::ClientTransport;

SourceReport source(SourceReport::Kind kind, ClientTransport transport, std::string_view local,
                    std::string_view server, SourceReport::Outcome outcome) {
    SourceReport made;
    made.kind = kind;
    made.transport = transport;
    made.path = {at(local), at(server)};
    made.outcome = outcome;
    return made;
}

// UDP is dropped; the relay is reached over TLS.
PathReport relayed_over_tls() {
    using enum SourceReport::Outcome;
    PathReport report;
    report.state = ice::State::Completed;
    report.sources = {source(SourceReport::Kind::Turn, ClientTransport::Udp, "10.0.0.2:4000",
                             "198.51.100.1:3478", Silent),
                      source(SourceReport::Kind::Turn, ClientTransport::Tcp, "10.0.0.2:9",
                             "198.51.100.1:3478", Refused),
                      source(SourceReport::Kind::Turn, ClientTransport::Tls, "10.0.0.2:45000",
                             "198.51.100.1:5349", Answered)};
    report.sources[1].failure = turn::Failure{.kind = turn::FailureKind::Unreachable};
    report.sources[2].mapped = at("203.0.113.1:45000");
    report.sources[2].relayed = {at("198.51.100.1:60000")};
    report.remote.resize(1);
    report.remote[0].type = ice::CandidateType::ServerReflexive;
    report.remote[0].address = report.remote[0].base = at("203.0.113.9:5000");
    report.route = Route{.pair = {at("198.51.100.1:60000"), at("203.0.113.9:5000")},
                         .wire = {at("10.0.0.2:45000"), at("198.51.100.1:5349")},
                         .channel = {},
                         .kind = RouteKind::Relayed,
                         .local_type = ice::CandidateType::Relayed,
                         .remote_type = ice::CandidateType::ServerReflexive,
                         .round_trip = {}};
    report.route->stream = StreamId{1};
    report.route->transport = ClientTransport::Tls;
    return report;
}

PathReport direct_over_tcp() {
    PathReport report = relayed_over_tls();
    report.sources.resize(1);
    report.route->pair = report.route->wire = {at("10.0.0.2:45001"), at("203.0.113.9:7000")};
    report.route->kind = RouteKind::Direct;
    report.route->local_type = ice::CandidateType::Host;
    report.route->transport = ClientTransport::Tcp;
    return report;
}

TEST_CASE("explanation of streams: a relay over TLS does not hide that UDP is blocked") {
    const Explanation found = explain(relayed_over_tls());
    CHECK(found.outcome == Outcome::Relayed);
    CHECK(found.transport == ClientTransport::Tls);
    CHECK(found.verdict() == "relayed over TLS: UDP does not get out of this network");
    // NATs are not judged by what UDP never reached, nor the ways to the relay that failed.
    CHECK_FALSE(found.has(Reason::NatsUnknown));
    CHECK_FALSE(found.has(Reason::RelayRefused));
}

TEST_CASE("explanation of streams: what the relay over TLS carries is no sign of UDP") {
    PathReport report = relayed_over_tls();
    ice::PairReport pair{};
    pair.path = report.route->pair;
    pair.local = pair.path.local;
    pair.local_type = ice::CandidateType::Relayed;
    pair.remote_type = ice::CandidateType::ServerReflexive;
    pair.state = ice::PairState::Succeeded;
    pair.valid = pair.nominated = pair.selected = true;
    report.pairs = {pair};
    CHECK(explain(report).has(Reason::NoUdp));
    // The same from a socket of ours would be one.
    report.pairs[0].path.local = report.pairs[0].local = at("10.0.0.2:4000");
    CHECK_FALSE(explain(report).has(Reason::NoUdp));
}

TEST_CASE("explanation of streams: UDP works, and the relay alone is silent over it") {
    PathReport report = relayed_over_tls();
    report.sources.push_back(source(SourceReport::Kind::Stun, ClientTransport::Udp, "10.0.0.2:4000",
                                    "198.51.100.7:3478", SourceReport::Outcome::Answered));
    report.sources.back().mapped = at("203.0.113.1:4000");
    const Explanation found = explain(report);
    CHECK_FALSE(found.has(Reason::NoUdp));
    CHECK(found.verdict() ==
          "relayed over TLS: the relay does not answer over UDP: TURN 198.51.100.1:3478 does not "
          "answer");
}

TEST_CASE("explanation of streams: a server that is still waited for leaves UDP open") {
    PathReport report = relayed_over_tls();
    report.sources[0].outcome = SourceReport::Outcome::Pending;
    CHECK_FALSE(explain(report).has(Reason::NoUdp));
}

TEST_CASE("explanation of streams: a direct connection, where UDP is blocked and where it fails") {
    PathReport report = direct_over_tcp();
    CHECK(explain(report).verdict() == "direct over TCP: UDP does not get out of this network");
    report.sources[0].outcome = SourceReport::Outcome::Answered;
    CHECK(explain(report).verdict() ==
          "direct over TCP: no UDP came through directly, and a TCP connection did");
    CHECK(explain(report).transport == ClientTransport::Tcp);
}

TEST_CASE("explanation of streams: a NAT's ports for TCP say nothing of how it maps UDP") {
    PathReport report = direct_over_tcp();
    // One number of port for UDP and for TCP, and each is mapped to a port of its own.
    report.sources = {source(SourceReport::Kind::Stun, ClientTransport::Udp, "10.0.0.2:4000",
                             "198.51.100.1:3478", SourceReport::Outcome::Answered),
                      source(SourceReport::Kind::Stun, ClientTransport::Tcp, "10.0.0.2:4000",
                             "198.51.100.2:3478", SourceReport::Outcome::Answered)};
    report.sources[0].mapped = at("203.0.113.1:40000");
    report.sources[1].mapped = at("203.0.113.1:50000");
    CHECK(explain(report).ours == NatKnowledge{});
    report.sources[1].transport = ClientTransport::Udp;
    CHECK(explain(report).ours.maps_per_destination());
}

TEST_CASE("explanation of streams: without any way to the relay each of them is named") {
    PathReport report = relayed_over_tls();
    report.sources.pop_back();
    report.route.reset();
    report.state = ice::State::Failed;
    const Explanation found = explain(report);
    CHECK(found.verdict() == "no path: UDP does not get out of this network");
    REQUIRE(found.has(Reason::RelayRefused));
    CHECK(describe(report.sources[1]).starts_with("TURN over TCP 198.51.100.1:3478: "));
}

TEST_CASE("explanation of streams: words of pairs and candidates over TCP") {
    ice::PairReport pair{};
    pair.state = ice::PairState::Failed;
    pair.last_error = ice::PairError{.kind = ice::PairError::Kind::ConnectionRefused};
    CHECK(describe(pair) == "the connection was refused");
    pair.transport = ice::Transport::Tcp;
    CHECK(describe(pair) == "over TCP: the connection was refused");
    ice::Candidate candidate;
    candidate.transport = ice::Transport::Tcp;
    candidate.tcp_type = ice::TcpType::Active;
    CHECK(describe_origin(candidate, ice::Side::Local) ==
          "where this host opens TCP connections from");
    candidate.tcp_type = ice::TcpType::Passive;
    CHECK(describe_origin(candidate, ice::Side::Local) == "an interface of this host");
    for (const auto transport : {ClientTransport::Udp, ClientTransport::Dtls, ClientTransport::Tcp,
                                 ClientTransport::Tls}) {
        CHECK_FALSE(to_string(transport).empty());
    }
}

// ---- the connection of a relay whose address goes ----------------------------------------------

TEST_CASE("connector hosts: with the address that a relay's connection leaves from it is closed") {
    for (const bool released : {false, true}) {
        CAPTURE(released);
        ConnectorConfig config = config_with({"10.0.0.2:4000"});
        config.turn_servers = {
            {at("198.51.100.1:3478"), "user", "password", ClientTransport::Tcp, {}}};
        Driven driven{config};
        REQUIRE(driven.count<StreamWanted>() == 1);
        const StreamWanted wanted = driven.last<StreamWanted>();
        driven.connector.handle_stream_opened(driven.now, wanted.stream,
                                              {at("10.0.0.2:45000"), wanted.path.remote});
        driven.settle();
        const std::size_t before = driven.count<StreamUnwanted>();
        if (released) driven.connector.release(driven.now);
        driven.connector.remove_host(driven.now, at("10.0.0.2:4000"));
        driven.settle();
        CHECK(before == 0);
        CHECK(driven.count<RelayFailed>() == (released ? 0U : 1U));
        REQUIRE(driven.count<StreamUnwanted>() == 1);
        CHECK(driven.last<StreamUnwanted>().stream == wanted.stream);
    }
}

}  // namespace
}  // namespace stile::connect
