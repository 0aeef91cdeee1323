// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_relay_network.hpp"

#include <stile/connect/explanation.hpp>

// Relayed candidates over TCP: RFC 6062, RFC 6544 Section 5.5.
namespace stile::connect {
namespace {

using namespace test;

// Has a socket, and a server over TCP alone, which it gets a relay over UDP from only where
// something answers for it.
ConnectorConfig with_tcp_server() {
    ConnectorConfig config;
    config.hosts = {at("192.0.2.1:5000")};
    config.turn_servers = {{tcp_server, "user", "password", turn::ClientTransport::Tcp, {}}};
    config.ice.role = ice::Role::Controlling;
    return config;
}

// Neither UDP nor servers.
ConnectorConfig of_tcp_peer(ice::Role role = ice::Role::Controlled) {
    ConnectorConfig config;
    config.listeners = {{tcp_peer, ice::TcpType::Passive}};
    config.ice.role = role;
    return config;
}

enum class PeerDoes : std::uint8_t { Listen, Open };

Description told_by(const Driven& peer, PeerDoes does) {
    Description description = peer.connector.local_description();
    std::erase_if(description.candidates, [&](const ice::Candidate& candidate) {
        const bool opens = candidate.tcp_type == ice::TcpType::Active;
        return opens != (does == PeerDoes::Open);
    });
    return description;
}

std::vector<ice::Candidate> relayed_over_tcp(const Driven& driven) {
    std::vector<ice::Candidate> found;
    for (const ice::Candidate& each : driven.connector.local_description().candidates) {
        const bool is_tcp = each.transport == ice::Transport::Tcp;
        if (is_tcp && each.type == ice::CandidateType::Relayed) found.push_back(each);
    }
    return found;
}

struct Pair {
    Driven left;
    Driven right;
    TcpRelayNetwork network{left, right, 1};

    explicit Pair(ConnectorConfig ours = with_tcp_server(),
                  ice::Role theirs = ice::Role::Controlled)
        : left(std::move(ours), 1), right(of_tcp_peer(theirs), 2) {}

    // Ours is told whole, as late as it is complete, but for what the peer could do besides.
    void meet(PeerDoes does) {
        network.run(100ms);
        REQUIRE(left.connector.set_remote_description(left.now, told_by(right, does)));
        network.run(100ms);
        const PeerDoes ours = does == PeerDoes::Open ? PeerDoes::Listen : PeerDoes::Open;
        REQUIRE(right.connector.set_remote_description(right.now, told_by(left, ours)));
    }
    void check_data() {
        for (Driven* side : {&left, &right}) {
            Driven& other = side == &left ? right : left;
            other.taken.clear();
            side->connector.send(side->now, as_bytes("hello"));
            network.run(10ms);
            REQUIRE(other.taken.size() == 1);
            CHECK(as_text(other.taken[0]) == "hello");
        }
    }
};

TEST_CASE("connector tcp relay: asked for at once where the peer has TCP alone, and told twice") {
    Pair two;
    two.meet(PeerDoes::Open);
    CHECK(two.network.requests[stun::Method::Allocate] == 1);
    const auto told = relayed_over_tcp(two.left);
    REQUIRE(told.size() == 2);
    CHECK(told[0].tcp_type == ice::TcpType::Passive);
    CHECK(told[0].address == tcp_relayed);
    CHECK(told[0].related == at("203.0.113.7:41000"));
    CHECK(told[1].tcp_type == ice::TcpType::Active);
    CHECK(told[1].address == SocketAddress{tcp_relayed.ip, ice::discard_port});
    // The relay over UDP is the better one, if it leads anywhere.
    for (const ice::Candidate& each : two.left.connector.local_description().candidates) {
        const bool is_udp = each.transport == ice::Transport::Udp;
        if (is_udp && each.type == ice::CandidateType::Relayed) {
            CHECK(each.priority > told[0].priority);
            CHECK(each.priority > told[1].priority);
        }
    }
}

TEST_CASE("connector tcp relay: gathering waits for it") {
    Pair two;
    two.network.silent_for[stun::Method::Allocate] = 1;
    REQUIRE(two.left.connector.set_remote_description(two.left.now,
                                                      told_by(two.right, PeerDoes::Open)));
    two.network.run(1s);
    CHECK(two.left.count<GatheringCompleted>() == 0);
    two.network.run(5s);
    CHECK(two.left.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector tcp relay: with UDP candidates of the peer not before the rest has failed") {
    Pair two;
    Description description = told_by(two.right, PeerDoes::Open);
    ice::Candidate udp;
    udp.address = udp.base = at("203.0.113.1:7000");
    udp.priority = 1'000'000;
    udp.foundation = "u";
    description.candidates.push_back(udp);
    REQUIRE(two.left.connector.set_remote_description(two.left.now, description));
    two.network.run(limits::tcp_relay_patience - 1ms);
    CHECK(two.network.requests[stun::Method::Allocate] == 0);
    two.network.run(1ms);
    CHECK(two.network.requests[stun::Method::Allocate] == 1);
}

TEST_CASE("connector tcp relay: not for a peer without TCP, nor without a server over TCP") {
    for (const bool has_server : {false, true}) {
        CAPTURE(has_server);
        ConnectorConfig config = with_tcp_server();
        if (!has_server) config.turn_servers[0].transport = turn::ClientTransport::Udp;
        Pair two{config};
        Description description = told_by(two.right, PeerDoes::Listen);
        if (has_server) {
            for (ice::Candidate& each : description.candidates) {
                each.transport = ice::Transport::Udp;
                each.tcp_type = {};
            }
        }
        REQUIRE(two.left.connector.set_remote_description(two.left.now, description));
        two.network.run(30s);
        CHECK(two.network.requests[stun::Method::Allocate] == 0);
        CHECK(relayed_over_tcp(two.left).empty());
    }
}

TEST_CASE("connector tcp relay: it connects to a peer that only listens, in both roles") {
    for (const ice::Role role : {ice::Role::Controlling, ice::Role::Controlled}) {
        CAPTURE(role);
        ConnectorConfig config = with_tcp_server();
        config.ice.role = role;
        Pair two{config, ice::opposite(role)};
        two.meet(PeerDoes::Listen);
        two.network.run(5s);
        CHECK(two.left.connector.state() == ice::State::Completed);
        const auto ours = two.left.connector.route();
        const auto theirs = two.right.connector.route();
        REQUIRE(ours);
        REQUIRE(theirs);
        CHECK(ours->pair == Path{tcp_relayed, tcp_peer});
        CHECK(ours->wire.remote == tcp_server);
        CHECK(ours->stream);
        CHECK(ours->transport == turn::ClientTransport::Tcp);
        CHECK(ours->kind == RouteKind::Relayed);
        CHECK(theirs->kind == RouteKind::Relayed);
        CHECK(theirs->pair.remote == tcp_relayed);
        CHECK(two.network.requests[stun::Method::Connect] == 1);
        CHECK(two.network.requests[stun::Method::ConnectionBind] == 1);
        two.check_data();
    }
}

TEST_CASE("connector tcp relay: a peer that only opens connects to it, in both roles") {
    for (const ice::Role role : {ice::Role::Controlling, ice::Role::Controlled}) {
        CAPTURE(role);
        ConnectorConfig config = with_tcp_server();
        config.ice.role = role;
        Pair two{config, ice::opposite(role)};
        two.meet(PeerDoes::Open);
        two.network.run(5s);
        CHECK(two.left.connector.state() == ice::State::Completed);
        const auto ours = two.left.connector.route();
        REQUIRE(ours);
        CHECK(ours->pair.local == tcp_relayed);
        CHECK(ours->kind == RouteKind::Relayed);
        REQUIRE(two.right.connector.route());
        CHECK(two.right.connector.route()->kind == RouteKind::Relayed);
        CHECK(two.network.requests[stun::Method::CreatePermission] >= 1);
        CHECK(two.network.requests[stun::Method::Connect] == 0);
        two.check_data();
    }
}

TEST_CASE("connector tcp relay: hiding everything else it still tells its candidates") {
    ConnectorConfig config = with_tcp_server();
    config.policy = CandidatePolicy::RelayedOnly;
    Pair two{config};
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    REQUIRE(two.left.connector.route());
    for (const ice::Candidate& each : two.left.connector.local_description().candidates) {
        CHECK(each.type == ice::CandidateType::Relayed);
        CHECK_FALSE(each.related);
    }
}

TEST_CASE("connector tcp relay: what the server refuses to connect to is a pair that failed") {
    for (const auto& error : {stun::error::connection_already_exists,
                              stun::error::connection_failure, stun::error::forbidden}) {
        CAPTURE(error.code);
        Pair two;
        two.network.refuses[stun::Method::Connect] = error;
        two.meet(PeerDoes::Listen);
        two.network.run(1s);
        const auto pairs = two.left.connector.pairs();
        REQUIRE(pairs.size() == 1);
        CHECK(pairs[0].state == ice::PairState::Failed);
        REQUIRE(pairs[0].last_error);
        CHECK(pairs[0].last_error->kind == ice::PairError::Kind::ConnectionFailed);
        CHECK(two.left.count<RelayFailed>() == 0);
    }
}

TEST_CASE("connector tcp relay: a connection that is not bound in 30 s is given up") {
    for (const PeerDoes does : {PeerDoes::Listen, PeerDoes::Open}) {
        CAPTURE(does);
        Pair two;
        two.network.silent_for[stun::Method::ConnectionBind] = 1;
        two.meet(does);
        two.network.run(limits::bind_patience - 300ms);
        CHECK(two.network.requests[stun::Method::ConnectionBind] == 1);
        const std::size_t closed = two.left.count<StreamUnwanted>();
        two.network.run(400ms);
        CHECK(two.left.count<StreamUnwanted>() == closed + 1);
        if (does == PeerDoes::Listen) {
            CHECK(two.left.connector.pairs().at(0).state == ice::PairState::Failed);
        }
    }
}

TEST_CASE("connector tcp relay: a stream for data that is not opened is given up, too") {
    Pair two;
    two.network.left_data = TcpRelayNetwork::Data::Ignored;
    two.meet(PeerDoes::Listen);
    two.network.run(limits::bind_patience + 1s);
    CHECK(two.left.connector.pairs().at(0).state == ice::PairState::Failed);
    CHECK(two.left.count<StreamUnwanted>() == 1);
}

TEST_CASE("connector tcp relay: a refused bind is a pair that failed") {
    Pair two;
    two.network.refuses[stun::Method::ConnectionBind] = stun::error::bad_request;
    two.meet(PeerDoes::Listen);
    two.network.run(1s);
    CHECK(two.left.connector.pairs().at(0).state == ice::PairState::Failed);
    CHECK(two.left.count<StreamUnwanted>() == 1);
}

TEST_CASE("connector tcp relay: the stream for data ends, and with it the route, not the relay") {
    Pair two;
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    REQUIRE(two.left.connector.route());
    two.network.cut_data();
    two.network.run(1ms);
    CHECK_FALSE(two.left.connector.route());
    CHECK(two.left.count<RouteLost>() == 1);
    CHECK(two.left.count<RelayFailed>() == 0);
    CHECK(relayed_over_tcp(two.left).size() == 2);
    // A restart goes on with the same allocation.
    two.left.connector.restart(two.left.now);
    two.right.connector.restart(two.right.now);
    CHECK(relayed_over_tcp(two.left).size() == 2);
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    CHECK(two.left.connector.route());
    CHECK(two.network.requests[stun::Method::Allocate] == 1);
    two.check_data();
}

TEST_CASE("connector tcp relay: a restart keeps the connection that is there") {
    Pair two;
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    const auto before = two.left.connector.route();
    REQUIRE(before);
    two.left.connector.restart(two.left.now);
    two.right.connector.restart(two.right.now);
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    REQUIRE(two.left.connector.route());
    CHECK(two.left.connector.route()->stream == before->stream);
    CHECK(two.left.connector.state() == ice::State::Completed);
    CHECK(two.network.requests[stun::Method::Connect] == 1);
    two.check_data();
}

TEST_CASE("connector tcp relay: with the control stream all is gone; a restart asks anew") {
    Pair two;
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    REQUIRE(two.left.connector.route());
    two.network.cut_control();
    two.network.run(1ms);
    CHECK_FALSE(two.left.connector.route());
    CHECK(two.left.last<RelayFailed>().failure.kind == turn::FailureKind::Unreachable);
    CHECK(relayed_over_tcp(two.left).empty());
    CHECK(two.network.joined() == 0);
    two.network.run(35s);
    two.left.connector.restart(two.left.now);
    two.right.connector.restart(two.right.now);
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    CHECK(two.left.connector.route());
    CHECK(two.network.requests[stun::Method::Allocate] == 2);
}

TEST_CASE("connector tcp relay: a server that has none is followed by the next one") {
    enum class First : std::uint8_t { Dead, Refuses, Silent };
    for (const First first : {First::Dead, First::Refuses, First::Silent}) {
        CAPTURE(first);
        ConnectorConfig config = with_tcp_server();
        config.turn_servers.push_back(config.turn_servers[0]);
        config.turn_servers[1].address.port = Port{3479};
        Pair two{config};
        if (first == First::Dead) two.network.dead_servers = {tcp_server};
        if (first == First::Silent) two.network.silent_for[stun::Method::Allocate] = 1;
        if (first == First::Refuses) {
            two.network.refuses[stun::Method::Allocate] = stun::error::unsupported_transport;
        }
        two.network.run(1s);
        REQUIRE(two.left.connector.set_remote_description(two.left.now,
                                                          told_by(two.right, PeerDoes::Listen)));
        two.network.run(100ms);
        two.network.refuses.clear();
        CHECK(relayed_over_tcp(two.left).empty() == (first != First::Dead));
        two.network.run(limits::tcp_relay_server_patience);
        const std::size_t allocated = first == First::Refuses ? 0 : 2;
        CHECK(relayed_over_tcp(two.left).size() == allocated);
        std::size_t reported = 0;
        for (const SourceReport& source : two.left.connector.report().sources) {
            if (source.relays != turn::RelayProtocol::Tcp) continue;
            ++reported;
            if (source.path.remote != tcp_server) continue;
            CHECK(source.outcome == (first == First::Refuses  ? SourceReport::Outcome::Refused
                                     : first == First::Silent ? SourceReport::Outcome::Silent
                                                              : SourceReport::Outcome::Answered));
        }
        CHECK(reported >= 1);
    }
}

TEST_CASE("connector tcp relay: as many connections as the limit, and not one more") {
    Pair two;
    two.network.left_data = TcpRelayNetwork::Data::Ignored;
    REQUIRE(two.left.connector.set_remote_description(two.left.now,
                                                      told_by(two.right, PeerDoes::Open)));
    two.network.run(100ms);
    const std::size_t before = two.left.count<StreamWanted>();
    for (std::uint16_t i = 0; i <= limits::most_relayed_connections; ++i) {
        two.network.attempt({tcp_peer.ip, Port{static_cast<std::uint16_t>(1000 + i)}});
        two.left.settle();
    }
    CHECK(two.left.count<StreamWanted>() - before == limits::most_relayed_connections);
    // They end by themselves.
    two.network.run(limits::bind_patience + 1s);
    two.network.attempt({tcp_peer.ip, Port{5000}});
    two.left.settle();
    CHECK(two.left.count<StreamWanted>() - before == limits::most_relayed_connections + 1);
}

TEST_CASE("connector tcp relay: released, it gives the allocation back and closes everything") {
    Pair two;
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    REQUIRE(two.left.connector.route());
    two.left.connector.release(two.left.now);
    two.network.run(1s);
    // With the relay over UDP.
    CHECK(two.network.requests[stun::Method::Refresh] == 2);
    CHECK_FALSE(two.left.connector.poll_timeout());
    CHECK(two.network.joined() == 0);
    CHECK(two.left.count<StreamUnwanted>() == two.left.count<StreamWanted>());
}

TEST_CASE("connector tcp relay: with the address of its host it goes") {
    Pair two;
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    two.left.connector.remove_host(two.left.now, at("192.0.2.1:5000"));
    two.left.settle();
    CHECK_FALSE(two.left.connector.route());
    CHECK(relayed_over_tcp(two.left).empty());
}

TEST_CASE("connector tcp relay: the explanation names it") {
    Pair two;
    two.meet(PeerDoes::Listen);
    two.network.run(5s);
    const PathReport report = two.left.connector.report();
    const auto source =
        std::ranges::find(report.sources, turn::RelayProtocol::Tcp, &SourceReport::relays);
    REQUIRE(source != report.sources.end());
    CHECK(describe(*source) ==
          "TURN over TCP 198.51.100.2:3478 sees 203.0.113.7:41000, relays TCP at "
          "198.51.100.2:50000");
    const Explanation explanation = explain(report);
    CHECK(explanation.has(Reason::PeerTcpOnly));
    CHECK(explanation.verdict() == "relayed over TCP: the peer offered TCP alone");
    for (const ice::Candidate& each : relayed_over_tcp(two.left)) {
        const bool opens = each.tcp_type == ice::TcpType::Active;
        CHECK(describe_origin(each, ice::Side::Local) ==
              (opens ? "where your relay opens TCP connections from" : "an address of your relay"));
    }
}

TEST_CASE("connector tcp relay: a refusal says what was asked for") {
    Pair two;
    two.network.refuses[stun::Method::Allocate] = stun::error::unsupported_transport;
    two.meet(PeerDoes::Listen);
    const PathReport report = two.left.connector.report();
    const auto source =
        std::ranges::find(report.sources, turn::RelayProtocol::Tcp, &SourceReport::relays);
    REQUIRE(source != report.sources.end());
    CHECK(describe(*source) ==
          "TURN over TCP 198.51.100.2:3478, asked to relay TCP, says 442 Unsupported Transport "
          "Protocol");
    CHECK(two.left.last<RelayFailed>().failure.code == 442);
    // That there is a relay over UDP is of no use to this peer.
    const Explanation explanation = explain(report);
    CHECK(explanation.outcome == Outcome::Ongoing);
    CHECK(explanation.has(Reason::PeerTcpOnly));
    CHECK(explanation.has(Reason::RelayRefused));
}

}  // namespace
}  // namespace stile::connect
