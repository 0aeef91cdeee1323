// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"

#include <array>

// Two agents over TCP. RFC 6544.
namespace stile::ice {
namespace {

using namespace testing;

// Each with its UDP socket, if it has one, and what it says it can do over TCP.
struct TcpHosts {
    Network network;
    Peer left;
    Peer right;

    explicit TcpHosts(AgentConfig config = {}, std::uint64_t seed = 1)
        : left(config, seed), right(controlled(config), seed + 1000) {
        network.join(left);
        network.join(right);
    }
    static AgentConfig controlled(AgentConfig config) {
        config.role = Role::Controlled;
        return config;
    }
    void add_active_and_passive() {
        for (const TcpType type : {TcpType::Active, TcpType::Passive}) {
            left.add_tcp(network.now, "192.0.2.1:1100", type);
            right.add_tcp(network.now, "203.0.113.1:2100", type);
        }
    }
    void add_udp() {
        left.add_host(network.now, "192.0.2.1:1000");
        right.add_host(network.now, "203.0.113.1:2000");
    }
    void start_checks() { exchange(network.now, left, right); }
    bool connected() const {
        return left.agent.state() == State::Completed && right.agent.state() == State::Completed;
    }
    bool over_tcp() const {
        const auto ours = left.agent.selected_flow();
        const auto theirs = right.agent.selected_flow();
        return ours && theirs && ours->connection && theirs->connection;
    }
};

Path reversed(const Path& path) { return {.local = path.remote, .remote = path.local}; }

std::vector<Packet> requests_of(const Network& network, const Peer& peer) {
    std::vector<Packet> found;
    for (const Packet& packet : network.log) {
        if (packet.sender == &peer && packet.is_request()) found.push_back(packet);
    }
    return found;
}

TEST_CASE("ice tcp: an active and a passive side connect, and the connection carries on") {
    TcpHosts two;
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
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
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
    two.start_checks();
    two.network.run_for(2s);
    // A SYN and its answer, a check and its answer.
    CHECK(two.left.first_time<PairSelected>() == start + 4 * two.network.delay);
}

TEST_CASE("ice tcp: the passive side learns the peer's address, the active side its own") {
    // RFC 6544 Sections 7.1 and 7.2.
    TcpHosts two;
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
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
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
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
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
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
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
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
    two.left.add_tcp(start, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp(start, "203.0.113.1:2100", TcpType::Passive);
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

// ---- through NATs
// --------------------------------------------------------------------------------

struct TwoNats {
    Nat left_nat{.outside = IpAddress::v4({198, 51, 100, 10})};
    Nat right_nat{.outside = IpAddress::v4({198, 51, 100, 20})};
    TcpHosts two;

    explicit TwoNats(Nat::UnexpectedSyn unexpected, std::uint64_t seed) : two({}, seed) {
        left_nat.unexpected_syn = right_nat.unexpected_syn = unexpected;
        two.left.tcp_nat = &left_nat;
        two.right.tcp_nat = &right_nat;
        two.left.add_tcp(start, "10.0.0.1:1100", TcpType::SimultaneousOpen);
        two.right.add_tcp(start, "10.1.0.1:2100", TcpType::SimultaneousOpen);
        two.left.add_tcp_reflexive(start, "10.0.0.1:1100");
        two.right.add_tcp_reflexive(start, "10.1.0.1:2100");
    }
    // The right one hears of the left one so much later.
    void begin(Duration skew) {
        signal(start, two.right, two.left);
        two.network.run_for(skew);
        signal(two.network.now, two.left, two.right);
        end_candidates(two.network.now, two.left, two.right);
    }
};

TEST_CASE("ice tcp: simultaneous open through NATs that drop an unexpected SYN") {
    for (const Duration skew : {Duration{0ms}, Duration{300ms}, Duration{900ms}}) {
        CAPTURE(skew.count());
        TwoNats world{Nat::UnexpectedSyn::Drop, 5};
        world.begin(skew);
        world.two.network.run_for(10s);
        REQUIRE(world.two.connected());
        REQUIRE(world.two.over_tcp());
        CHECK(world.two.left.agent.selected()->remote.ip == world.right_nat.outside);
        CHECK(world.two.right.agent.selected()->remote.ip == world.left_nat.outside);
        CHECK(world.two.network.streams.count(world.two.left) == 1);
        CHECK(world.two.network.streams.attempts() == 0);
    }
}

TEST_CASE("ice tcp: simultaneous open through NATs that answer an unexpected SYN with a reset") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        for (const Duration skew : {Duration{0ms}, Duration{300ms}, Duration{900ms}}) {
            for (const Duration delay : {Duration{250us}, Duration{5ms}, Duration{100ms}}) {
                CAPTURE(seed);
                CAPTURE(skew.count());
                CAPTURE(delay.count());
                TwoNats world{Nat::UnexpectedSyn::Reset, seed};
                world.two.network.delay = delay;
                world.begin(skew);
                world.two.network.run_for(15s);
                CHECK(world.two.connected());
                CHECK(world.two.over_tcp());
            }
        }
    }
}

TEST_CASE(
    "ice tcp: a simultaneous open that is refused for ever ends after Ti, with bounded tries") {
    TwoNats world{Nat::UnexpectedSyn::Reset, 3};
    world.two.network.streams.syn_fate = [](const Path&) { return Streams::Fate::Reset; };
    world.begin(0ms);
    world.two.network.run_for(60s);
    for (const PairReport& pair : world.two.left.agent.pairs()) {
        CHECK(pair.state == PairState::Failed);
    }
    CHECK(world.two.left.agent.state() == State::Failed);
    CHECK(world.two.network.streams.attempts() == 0);
    // Two pairs a side; 400 quick ones, and at most two a second after that.
    CHECK(world.two.left.all<ConnectionWanted>().size() > 2 * 400);
    CHECK(world.two.left.all<ConnectionWanted>().size() < 2 * (400 + 10 + 80));
}

TEST_CASE("ice tcp: one side behind a NAT connects actively to the other") {
    Nat nat{.outside = IpAddress::v4({198, 51, 100, 10})};
    TcpHosts two;
    two.left.tcp_nat = &nat;
    for (const TcpType type : {TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen}) {
        const bool is_so = type == TcpType::SimultaneousOpen;
        two.left.add_tcp(start, is_so ? "10.0.0.1:1101" : "10.0.0.1:1100", type);
        two.right.add_tcp(start, is_so ? "203.0.113.1:2101" : "203.0.113.1:2100", type);
    }
    two.start_checks();
    two.network.run_for(10s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    CHECK(two.right.agent.selected()->remote.ip == nat.outside);
    CHECK(two.network.streams.count(two.left) == 1);
    CHECK(two.network.streams.count(two.right) == 1);
}

TEST_CASE("ice tcp: all kinds at once, from each seed, agree on one connection") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        TcpHosts two{{}, seed};
        two.network.delay = std::chrono::milliseconds{seed * 7 % 90};
        two.add_active_and_passive();
        two.left.add_tcp(start, "192.0.2.1:1101", TcpType::SimultaneousOpen);
        two.right.add_tcp(start, "203.0.113.1:2101", TcpType::SimultaneousOpen);
        two.start_checks();
        two.network.run_for(15s);
        REQUIRE(two.connected());
        REQUIRE(two.over_tcp());
        CHECK(*two.left.agent.selected() == reversed(*two.right.agent.selected()));
        CHECK(two.network.streams.count(two.left) == 1);
        CHECK(two.network.streams.attempts() == 0);
        CHECK(two.left.all<ConsentExpired>().empty());
        CHECK(two.right.all<ConsentExpired>().empty());
    }
}

}  // namespace
}  // namespace stile::ice
