// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_hosts.hpp"

// A connection that carries data: its consent, its end, and restarts. RFC 6544 Sections 9.2
// and 11.1.
namespace stile::ice {
namespace {

using namespace testing;

TEST_CASE("ice tcp: consent is asked for on the connection, and lasts") {
    TcpHosts two;
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.over_tcp());
    two.network.log.clear();
    two.network.run_for(300s);
    CHECK(two.connected());
    CHECK(requests_of(two.network, two.left).size() > 45);
    for (const Packet& packet : two.network.log) CHECK(packet.connection);
}

TEST_CASE("ice tcp: a connection on which nothing comes back loses its consent after 30 s") {
    TcpHosts two;
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(10s);
    two.network.drops = [](const Packet&) { return true; };
    two.network.run_for(31s);
    // Who misses it first closes the connection, which is what the other one then hears.
    const bool left_first =
        two.left.first_time<ConsentExpired>() < two.right.first_time<ConsentExpired>();
    const auto lost = (left_first ? two.left : two.right).all<ConsentExpired>();
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].error == PairError{.kind = PairError::Kind::ConsentExpired});
    CHECK(two.left.agent.state() == State::Failed);
    CHECK(two.network.streams.count(two.left) == 0);
}

TEST_CASE("ice tcp: the end of the selected connection is told at once, by a name of its own") {
    TcpHosts two;
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.over_tcp());
    const Path path = *two.left.agent.selected();
    two.network.streams.cut(two.left, *two.left.agent.selected_flow()->connection);
    two.network.run_for(1ms);
    for (Peer* peer : {&two.left, &two.right}) {
        const auto lost = peer->all<ConsentExpired>();
        REQUIRE(lost.size() == 1);
        CHECK(lost[0].error == PairError{.kind = PairError::Kind::ConnectionClosed});
        CHECK(peer->agent.state() == State::Failed);
        CHECK_FALSE(peer->agent.selected());
    }
    CHECK(two.left.all<ConsentExpired>()[0].path == path);
}

TEST_CASE("ice tcp: a provisional connection that ends gives way to another pair") {
    TcpHosts two{{.nomination_patience = 20s}};
    two.add_udp();
    two.add_active_and_passive();
    two.network.drops = [](const Packet& packet) { return !packet.connection; };
    two.start_checks();
    two.network.run_for(2s);
    const auto first = two.left.agent.selected_flow();
    REQUIRE(first);
    two.network.streams.cut(two.left, *first->connection);
    two.network.run_for(1s);
    const auto second = two.left.agent.selected_flow();
    REQUIRE(second);
    CHECK(second->connection != first->connection);
    CHECK(two.left.agent.state() == State::Running);
}

TEST_CASE("ice tcp: what carried data is closed a while after another pair took its place") {
    TcpHosts two{{.nomination_patience = 4s}};
    two.add_udp();
    two.add_active_and_passive();
    // UDP gets through late.
    two.network.drops = [&](const Packet& packet) {
        return !packet.connection && packet.when < start + 2s;
    };
    two.start_checks();
    two.network.run_for(1s);
    REQUIRE(two.over_tcp());
    const ConnectionId carried = *two.left.agent.selected_flow()->connection;
    while (!two.connected()) two.network.run_for(100ms);
    REQUIRE_FALSE(two.left.agent.selected_flow()->connection);
    const auto completed = two.left.time_of(State::Completed);
    REQUIRE(completed);
    two.network.run_for(10s);
    std::optional<Instant> released;
    for (const auto& [when, event] : two.left.events) {
        const auto* one = std::get_if<ConnectionReleased>(&event);
        if (one != nullptr && one->id == carried) released = when;
    }
    // Whoever closes first: the other side then hears that it is closed.
    const bool is_gone = two.network.streams.count(two.left) == 0;
    CHECK(is_gone);
    if (released) CHECK(*released >= *completed + limits::connection_linger);
}

TEST_CASE("ice tcp: a restart keeps the old connection until there is a new pair") {
    // RFC 6544 Section 9.2.
    TcpHosts two;
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.over_tcp());
    const auto old = two.left.agent.selected_flow();
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now);
        peer->candidates.clear();
    }
    two.network.run_for(3s);
    CHECK(two.left.agent.selected_flow() == old);
    CHECK(two.network.streams.count(two.left) == 1);
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    CHECK(two.left.agent.selected_flow()->connection != old->connection);
    CHECK(two.network.streams.count(two.left) == 1);  // the old one is closed
    CHECK(two.left.all<ConsentExpired>().empty());
}

TEST_CASE("ice tcp: a restart that abandons the old pair closes its connection at once") {
    TcpHosts two;
    two.add_active_and_passive();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.over_tcp());
    two.left.agent.restart(two.network.now, PreviousPair::Abandon);
    two.network.run_for(1ms);
    CHECK(two.network.streams.count(two.left) == 0);
}

TEST_CASE("ice tcp: simultaneous open candidates of a restart reuse the connection there is") {
    // RFC 6544 Section 9.2: "that existing connection is reused, and STUN checks are performed".
    TcpHosts two;
    const auto add = [&] {
        two.left.add_tcp(two.network.now, "192.0.2.1:1100", TcpType::SimultaneousOpen);
        two.right.add_tcp(two.network.now, "203.0.113.1:2100", TcpType::SimultaneousOpen);
    };
    add();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    const auto old = two.left.agent.selected_flow();
    const std::size_t syns = two.network.streams.syns;
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now);
        peer->candidates.clear();
    }
    add();
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.connected());
    CHECK(two.left.agent.selected_flow() == old);
    CHECK(two.network.streams.syns == syns);
    CHECK(two.network.streams.count(two.left) == 1);
}

TEST_CASE("ice tcp: the base of a connection goes away, and with it the connection") {
    TcpHosts two;
    two.add_active_to_passive();
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.over_tcp());
    two.left.agent.remove_base(two.network.now, at("192.0.2.1:9"));  // the UDP socket: another one
    CHECK(two.left.agent.state() == State::Completed);
    two.left.agent.remove_base(two.network.now, at("192.0.2.1:9"), Transport::Tcp);
    two.network.run_for(1ms);
    const auto lost = two.left.all<ConsentExpired>();
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].error == PairError{.kind = PairError::Kind::BaseLost});
    CHECK(two.left.all<ConnectionReleased>().size() == 1);
}

TEST_CASE("ice tcp: a role conflict is settled on the connection") {
    TcpHosts two;
    Peer other{AgentConfig{}, 77};  // controlling, as the left one is
    other.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    Network network;
    network.join(two.left);
    network.join(other);
    exchange(start, two.left, other);
    network.run_for(2s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(other.agent.state() == State::Completed);
    CHECK(two.left.agent.role() != other.agent.role());
    CHECK(network.streams.syns == 1);
}

TEST_CASE("ice tcp: UDP and TCP candidates at the same address and port do not mix") {
    TcpHosts two;
    two.left.add_host(start, "192.0.2.1:1000");
    two.right.add_host(start, "203.0.113.1:2000");
    two.left.add_tcp(start, "192.0.2.1:1000", TcpType::SimultaneousOpen);
    two.right.add_tcp(start, "203.0.113.1:2000", TcpType::SimultaneousOpen);
    two.start_checks();
    CHECK(two.left.agent.pairs().size() == 2);
    two.network.run_for(10s);
    REQUIRE(two.connected());
    CHECK_FALSE(two.left.agent.selected_flow()->connection);
    CHECK(two.network.streams.count(two.left) == 0);
    for (const Candidate& candidate : two.left.candidates) {
        const Transport transport = candidate.transport;
        CHECK(two.left.agent.local_candidates().find_base(at("192.0.2.1:1000"), transport));
    }
}

}  // namespace
}  // namespace stile::ice
