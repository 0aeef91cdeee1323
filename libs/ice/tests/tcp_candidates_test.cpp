// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "script.hpp"

#include <stile/ice/priority.hpp>
#include <stile/ice/simultaneous_open.hpp>

// Candidates over TCP, their priorities and pairs, and what strangers can do with connections.
namespace stile::ice {
namespace {

using namespace testing;

constexpr TcpType every_type[] = {TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen};

TEST_CASE("ice tcp priority: direction-pref and other-pref as RFC 6544 Section 4.2 recommends") {
    using enum TcpType;
    for (const CandidateType type : {CandidateType::Host, CandidateType::Relayed}) {
        CHECK(tcp_local_preference(type, Active, 8191) == 6 * 8192 + 8191);
        CHECK(tcp_local_preference(type, Passive, 8191) == 4 * 8192 + 8191);
        CHECK(tcp_local_preference(type, SimultaneousOpen, 0) == 2 * 8192);
    }
    CHECK(tcp_local_preference(CandidateType::ServerReflexive, SimultaneousOpen, 1) ==
          6 * 8192 + 1);
    CHECK(tcp_local_preference(CandidateType::ServerReflexive, Active, 1) == 4 * 8192 + 1);
    CHECK(tcp_local_preference(CandidateType::ServerReflexive, Passive, 1) == 2 * 8192 + 1);
}

TEST_CASE("ice tcp priority: after all that is direct over UDP, before every relay") {
    const auto least_direct_udp = candidate_priority(CandidateType::ServerReflexive, 0, {256});
    const auto best_relay = candidate_priority(CandidateType::Relayed, 65535, {1});
    for (const CandidateType type :
         {CandidateType::Host, CandidateType::PeerReflexive, CandidateType::ServerReflexive}) {
        CHECK(candidate_priority(type, 65535, {1}, Transport::Tcp) < least_direct_udp);
        CHECK(candidate_priority(type, 0, {256}, Transport::Tcp) > best_relay);
    }
    const auto host = candidate_priority(CandidateType::Host, 4711, {2}, Transport::Tcp);
    CHECK(peer_reflexive_priority(host, Transport::Tcp) ==
          candidate_priority(CandidateType::PeerReflexive, 4711, {2}, Transport::Tcp));
}

TEST_CASE("ice tcp pairs: the table of RFC 6544 Section 6.2, and never with UDP") {
    const auto tcp = [](TcpType type) { return Protocol{Transport::Tcp, type}; };
    for (const TcpType ours : every_type) {
        for (const TcpType theirs : every_type) {
            const bool both_open =
                ours == TcpType::SimultaneousOpen && theirs == TcpType::SimultaneousOpen;
            const bool one_opens = (ours == TcpType::Active && theirs == TcpType::Passive) ||
                                   (ours == TcpType::Passive && theirs == TcpType::Active);
            CHECK(can_pair(tcp(ours), tcp(theirs)) == (both_open || one_opens));
        }
        CHECK_FALSE(can_pair(tcp(ours), Protocol{}));
        CHECK_FALSE(can_pair(Protocol{}, tcp(ours)));
    }
    CHECK(can_pair(Protocol{}, Protocol{}));
}

TEST_CASE("ice tcp candidates: an active one has port 9, whatever it was given") {
    LocalCandidates table;
    const auto index = table.add(tcp_host_candidate(at("192.0.2.1:4000"), TcpType::Active));
    REQUIRE(index);
    CHECK(table[*index].address == at("192.0.2.1:9"));
    CHECK(table[*index].base == at("192.0.2.1:9"));
    CHECK_FALSE(table.find_base(at("192.0.2.1:9"), Transport::Tcp));  // nothing arrives there
    CHECK(table.add(tcp_host_candidate(at("192.0.2.1:0"), TcpType::Active)).error() ==
          CandidateError::Redundant);
    RemoteCandidates remote;
    REQUIRE(remote.add({.transport = Transport::Tcp,
                        .address = at("192.0.2.1:9"),
                        .priority = 1,
                        .foundation = "1",
                        .tcp_type = TcpType::Active}));
    CHECK_FALSE(remote.find(at("192.0.2.1:9"), {1}, Transport::Tcp));
}

TEST_CASE("ice tcp candidates: a type belongs to TCP and to TCP only") {
    const Candidate untyped{.transport = Transport::Tcp,
                            .address = at("192.0.2.1:9"),
                            .priority = 1,
                            .foundation = "1"};
    CHECK(check_candidate(untyped) == CandidateError::UnsupportedTransport);
    const Candidate udp{.address = at("192.0.2.1:9"),
                        .priority = 1,
                        .foundation = "1",
                        .tcp_type = TcpType::Active};
    CHECK(check_candidate(udp) == CandidateError::UnsupportedTransport);
    LocalCandidates table;
    auto gathered = host_candidate(at("192.0.2.1:4000"));
    gathered.protocol.transport = Transport::Tcp;
    CHECK(table.add(gathered).error() == CandidateError::UnsupportedTransport);
}

TEST_CASE("ice tcp candidates: other-pref is unique, falls, and ends at 8191") {
    LocalCandidates table;
    REQUIRE(table.add(tcp_host_candidate(at("192.0.2.1:4000"), TcpType::Passive)));
    REQUIRE(table.add(tcp_host_candidate(at("192.0.2.2:4000"), TcpType::Passive)));
    REQUIRE(table.add(tcp_host_candidate(at("192.0.2.1:4001"), TcpType::SimultaneousOpen)));
    const auto preference = [&](std::uint16_t i) { return (table[i].priority >> 8U) & 0xFFFFU; };
    CHECK(preference(0) == 4 * 8192 + 8191);
    CHECK(preference(1) == 4 * 8192 + 8190);
    CHECK(preference(2) == 2 * 8192 + 8191);
    auto gathered = tcp_host_candidate(at("192.0.2.3:4000"), TcpType::Passive);
    gathered.local_preference = limits::most_other_preference;
    CHECK(table.add(gathered));
    gathered.address = gathered.base = at("192.0.2.4:4000");
    gathered.local_preference = limits::most_other_preference + 1;
    CHECK(table.add(gathered).error() == CandidateError::BadPriority);
}

TEST_CASE("ice tcp candidates: transports and TCP types have foundations of their own") {
    LocalCandidates table;
    REQUIRE(table.add(host_candidate(at("192.0.2.1:4000"))));
    for (const TcpType type : every_type) {
        REQUIRE(table.add(tcp_host_candidate(at("192.0.2.1:4000"), type)));
    }
    for (std::uint16_t i = 0; i < table.size(); ++i) {
        for (std::uint16_t j = 0; j < i; ++j) CHECK(table[i].foundation != table[j].foundation);
    }
}

TEST_CASE("ice tcp schedule: quick at first, slower after so many, never slower than a second") {
    auto random = random_from(1);
    using Schedule = SimultaneousOpenSchedule;
    for (std::uint32_t refusals : {1U, 2U, Schedule::quick_tries}) {
        const Duration wait = Schedule::wait_after(refusals, random);
        CHECK(wait >= Schedule::quick / 2);
        CHECK(wait <= Schedule::quick * 3 / 2);
    }
    CHECK(Schedule::wait_after(Schedule::quick_tries + 1, random) >= Schedule::quick);
    for (int i = 0; i < 100; ++i) {
        const Duration wait = Schedule::wait_after(0xFFFF'FFFFU, random);
        CHECK(wait >= Schedule::slowest / 2);
        CHECK(wait <= Schedule::slowest * 3 / 2);
    }
}

// ---- strangers
// -----------------------------------------------------------------------------------

struct TcpScript : Script {
    explicit TcpScript(AgentConfig config = {.role = Role::Controlled}) : Script(config) {
        REQUIRE(agent.add_local_candidate(now, tcp_host_candidate(passive, TcpType::Passive)));
        REQUIRE(agent.add_local_candidate(now, tcp_host_candidate(passive, TcpType::Active)));
    }
    SocketAddress passive = at("192.0.2.1:1100");
    int foundations = 0;

    std::optional<ConnectionId> accept_from(std::uint16_t port) {
        return agent.handle_accepted(now, {passive, {IpAddress::v4({203, 0, 113, 9}), Port{port}}});
    }
    void add_passive_remote(const std::string& address) {
        REQUIRE(agent.add_remote_candidate(now, {.transport = Transport::Tcp,
                                                 .address = at(address),
                                                 .priority = 1000,
                                                 .foundation = std::to_string(++foundations),
                                                 .tcp_type = TcpType::Passive}));
    }
    template <class E>
    std::vector<E> take() {
        (void)collect();
        std::vector<E> found;
        for (const Event& event : events) {
            if (const auto* one = std::get_if<E>(&event)) found.push_back(*one);
        }
        events.clear();
        return found;
    }
    void pass(Duration duration) {
        for (const Instant end = now + duration;;) {
            (void)collect();
            const auto next = agent.poll_timeout();
            if (!next || *next > end) {
                now = end;
                return;
            }
            now = std::max(now, *next);
            agent.handle_timeout(now);
        }
    }
};

TEST_CASE("ice tcp: connections without a check are limited, and closed after a while") {
    TcpScript script;
    REQUIRE(script.agent.set_remote_credentials(script.now, script.mine));
    for (std::uint16_t i = 0; i < limits::most_unproven_connections; ++i) {
        CHECK(script.accept_from(static_cast<std::uint16_t>(5000 + i)));
    }
    CHECK_FALSE(script.accept_from(6000));
    script.pass(limits::unproven_lifetime - 1ms);
    CHECK(script.take<ConnectionReleased>().empty());
    script.pass(2ms);
    CHECK(script.take<ConnectionReleased>().size() == limits::most_unproven_connections);
    CHECK(script.accept_from(6000));
}

TEST_CASE("ice tcp: nothing is accepted where no candidate listens") {
    TcpScript script;
    CHECK_FALSE(script.agent.handle_accepted(script.now, {at("192.0.2.1:9"), script.remote}));
    CHECK_FALSE(script.agent.handle_accepted(script.now, {script.local, script.remote}));
}

TEST_CASE("ice tcp: a new connection between the same addresses ends the older one") {
    TcpScript script;
    const auto old = script.accept_from(5000);
    const auto id = script.accept_from(5000);
    REQUIRE(old);
    REQUIRE(id);
    CHECK(id != old);
    const auto released = script.take<ConnectionReleased>();
    REQUIRE(released.size() == 1);
    CHECK(released[0].id == *old);
}

TEST_CASE("ice tcp: an accepted connection that brings something else first is released") {
    TcpScript script;
    const auto id = script.accept_from(5000);
    REQUIRE(id);
    CHECK(script.agent.handle_frame(script.now, *id, as_bytes("GET / HTTP/1.1")) ==
          Verdict::Consumed);
    CHECK(script.take<ConnectionReleased>().size() == 1);
    CHECK(script.agent.handle_frame(script.now, *id, as_bytes("GET / HTTP/1.1")) ==
          Verdict::NotMine);
}

TEST_CASE("ice tcp: after a check other frames are data") {
    TcpScript script;
    const auto id = script.accept_from(5000);
    REQUIRE(id);
    const CheckContent content{.priority = 1, .role = Role::Controlling, .tie_breaker = 1};
    const Bytes check = build_check({.octets = {}}, script.username(), content, script.agent_key());
    CHECK(script.agent.handle_frame(script.now, *id, check) == Verdict::Consumed);
    CHECK(script.agent.handle_frame(script.now, *id, as_bytes("hello")) == Verdict::NotMine);
    // It came before the credentials of the peer did: the connection waits for them.
    script.pass(60s);
    CHECK(script.take<ConnectionReleased>().empty());
    REQUIRE(script.agent.set_remote_credentials(script.now, script.mine));
    const auto request = script.next_request();
    REQUIRE(request);
    CHECK(request->path.local == script.passive);
}

TEST_CASE("ice tcp: whoever answers with something else than STUN is not the peer") {
    // RFC 6544 Section 7.1.
    TcpScript script{{.role = Role::Controlling}};
    REQUIRE(script.agent.set_remote_credentials(script.now, script.mine));
    script.add_passive_remote("203.0.113.1:80");
    script.pass(100ms);
    const auto wanted = script.take<ConnectionWanted>();
    REQUIRE(wanted.size() == 1);
    script.agent.handle_connected(script.now, wanted[0].id,
                                  {at("192.0.2.1:40000"), at("203.0.113.1:80")});
    CHECK(script.agent.handle_frame(script.now, wanted[0].id, as_bytes("HTTP/1.1 400")) ==
          Verdict::Consumed);
    CHECK(script.take<ConnectionReleased>().size() == 1);
    const auto pairs = script.agent.pairs();
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].state == PairState::Failed);
    CHECK(pairs[0].last_error == PairError{.kind = PairError::Kind::NotIce});
}

TEST_CASE("ice tcp: five attempts at a time to one address; the next waits for one to end") {
    // RFC 6544 Section 12.
    TcpScript script{{.role = Role::Controlling}};
    REQUIRE(script.agent.set_remote_credentials(script.now, script.mine));
    for (int port = 81; port < 90; ++port) {
        script.add_passive_remote("203.0.113.1:" + std::to_string(port));
    }
    script.add_passive_remote("203.0.113.2:80");
    script.pass(5s);
    const auto wanted = script.take<ConnectionWanted>();
    const auto to_first = [](const ConnectionWanted& one) {
        return one.path.remote.ip == IpAddress::v4({203, 0, 113, 1});
    };
    const auto first = std::count_if(wanted.begin(), wanted.end(), to_first);
    CHECK(first == static_cast<std::ptrdiff_t>(limits::most_attempts_to_one_address));
    CHECK(wanted.size() == limits::most_attempts_to_one_address + 1);
    const auto one = std::find_if(wanted.begin(), wanted.end(), to_first);
    REQUIRE(one != wanted.end());
    script.agent.handle_connect_failed(script.now, one->id, ConnectFailure::Unreachable);
    script.pass(1s);
    CHECK(script.take<ConnectionWanted>().size() == 1);
}

}  // namespace
}  // namespace stile::ice
