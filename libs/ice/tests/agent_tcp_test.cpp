// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_hosts.hpp"

// Two agents over TCP. RFC 6544.
namespace stile::ice {
namespace {

using namespace testing;

TEST_CASE("ice tcp: an active and a passive side connect, and the connection carries on") {
    TcpHosts two;
    two.add_active_to_passive();
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    CHECK(*two.left.agent.selected() == reversed(*two.right.agent.selected()));
    CHECK(two.left.agent.selected()->remote == at("203.0.113.1:2100"));
    CHECK(two.left.agent.selected()->local.port != discard_port);
    CHECK(two.network.streams.count(two.left) == 1);
    // The connection that was asked for is the one that is selected, and nothing else was opened.
    const auto wanted = two.left.all<ConnectionWanted>();
    REQUIRE(wanted.size() == 1);
    CHECK(wanted[0].type == TcpType::Active);
    CHECK(wanted[0].path == Path{at("192.0.2.1:9"), at("203.0.113.1:2100")});
    CHECK(two.left.agent.selected_flow()->connection == wanted[0].id);
    CHECK(two.left.all<PairSelected>().back().connection == wanted[0].id);
    CHECK(two.right.all<ConnectionWanted>().empty());
}

TEST_CASE("ice tcp: it does not matter which side is the active one") {
    TcpHosts two;
    two.right.add_tcp(start, "203.0.113.1:9", TcpType::Active);
    two.left.add_tcp(start, "192.0.2.1:1100", TcpType::Passive);
    two.start_checks();
    two.network.run_for(2s);
    CHECK(two.connected());
    CHECK(two.over_tcp());
}

TEST_CASE("ice tcp: data may flow two round trips after the connection is asked for") {
    TcpHosts two;
    two.add_active_to_passive();
    two.start_checks();
    two.network.run_for(2s);
    // A SYN and its answer, a check and its answer.
    CHECK(two.left.first_time<PairSelected>() == start + 4 * two.network.delay);
}

TEST_CASE("ice tcp: the passive side learns the peer's address, the active side its own") {
    // RFC 6544 Sections 7.1 and 7.2.
    TcpHosts two;
    two.add_active_to_passive();
    two.start_checks();
    two.network.run_for(2s);
    const SocketAddress source = two.left.agent.selected()->local;
    const auto at_right = two.right.all<CandidateFound>();
    REQUIRE(at_right.size() == 1);
    CHECK(at_right[0].side == Side::Remote);
    CHECK(at_right[0].candidate.address == source);
    CHECK(at_right[0].candidate.type == CandidateType::PeerReflexive);
    CHECK(at_right[0].candidate.protocol() == Protocol{Transport::Tcp, TcpType::Active});
    const auto at_left = two.left.all<CandidateFound>();
    REQUIRE(at_left.size() == 1);
    CHECK(at_left[0].side == Side::Local);
    CHECK(at_left[0].candidate.address == source);
}

TEST_CASE("ice tcp: a check on a connection is sent once and given up after Ti") {
    TcpHosts two{{.ti = 5s}};
    two.add_active_to_passive();
    two.network.drops = [](const Packet&) { return true; };
    two.start_checks();
    two.network.run_for(4s);
    CHECK(requests_of(two.network, two.left).size() == 1);
    REQUIRE(two.left.agent.pairs().size() == 1);
    CHECK(two.left.agent.pairs()[0].state == PairState::InProgress);
    two.network.run_for(2s);
    CHECK(requests_of(two.network, two.left).size() == 1);
    const auto pair = two.left.agent.pairs()[0];
    CHECK(pair.state == PairState::Failed);
    CHECK(pair.last_error == PairError{.kind = PairError::Kind::TimedOut});
    // The connection was of no use.
    CHECK(two.left.all<ConnectionReleased>().size() == 1);
    CHECK(two.network.streams.count(two.right) == 0);
}

TEST_CASE("ice tcp: a connection that nobody answers is given up after Ti") {
    TcpHosts two{{.ti = 5s}};
    two.add_active_to_passive();
    two.network.streams.syn_fate = [](const Path&) { return Streams::Fate::Drop; };
    two.start_checks();
    two.network.run_for(6s);
    CHECK(two.left.agent.pairs()[0].state == PairState::Failed);
    CHECK(two.left.agent.pairs()[0].last_error == PairError{.kind = PairError::Kind::TimedOut});
    CHECK(two.left.all<ConnectionReleased>().size() == 1);
    CHECK(two.network.streams.attempts() == 0);
}

TEST_CASE("ice tcp: a refused connection fails its pair at once, and patience ends the session") {
    TcpHosts two;
    two.add_active_to_passive();
    two.network.streams.syn_fate = [](const Path&) { return Streams::Fate::Reset; };
    two.start_checks();
    two.network.run_for(1s);
    CHECK(two.left.agent.pairs()[0].state == PairState::Failed);
    CHECK(two.left.agent.pairs()[0].last_error ==
          PairError{.kind = PairError::Kind::ConnectionRefused});
    CHECK(two.left.all<ConnectionReleased>().empty());  // there is nothing to close
    two.network.run_for(60s);
    CHECK(two.left.agent.state() == State::Failed);
    CHECK(two.right.agent.state() == State::Failed);
    CHECK(two.left.all<ConnectionWanted>().size() == 1);
}

TEST_CASE("ice tcp: UDP is preferred; the other connections are closed once it is nominated") {
    TcpHosts two;
    two.add_udp();
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.connected());
    CHECK_FALSE(two.left.agent.selected_flow()->connection);
    CHECK_FALSE(two.right.agent.selected_flow()->connection);
    two.network.run_for(5s);
    CHECK(two.network.streams.count(two.left) == 0);
    CHECK(two.network.streams.count(two.right) == 0);
    CHECK(two.network.streams.attempts() == 0);
}

TEST_CASE("ice tcp: where UDP is blocked data flows over TCP at once, and it is nominated") {
    TcpHosts two;
    two.add_udp();
    two.add_active_and_passive();
    two.network.drops = [](const Packet& packet) { return !packet.connection; };
    two.start_checks();
    two.network.run_for(1s);
    const auto first = two.left.first_time<PairSelected>();
    REQUIRE(first);
    CHECK(*first - start < 300ms);
    two.network.run_for(9s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    CHECK(*two.left.agent.selected() == reversed(*two.right.agent.selected()));
    // Both directions were connected; the selected one is left.
    CHECK(two.network.streams.count(two.left) == 1);
    CHECK(two.network.streams.count(two.right) == 1);
}

}  // namespace
}  // namespace stile::ice
