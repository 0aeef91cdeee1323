// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_hosts.hpp"

#include <stile/ice/priority.hpp>

// Relayed candidates over TCP: RFC 6544 Section 5.5, RFC 6062.
namespace stile::ice {
namespace {

using namespace testing;

const SocketAddress relayed = *SocketAddress::parse("198.51.100.9:50000");

TEST_CASE(
    "ice tcp relayed: the active candidate has port 9, its connections leave from the relay's") {
    LocalCandidates table;
    const auto passive = table.add(tcp_relayed_candidate(relayed, TcpType::Passive));
    const auto active = table.add(tcp_relayed_candidate(relayed, TcpType::Active));
    REQUIRE(passive);
    REQUIRE(active);
    CHECK(table[*passive].address == relayed);
    // RFC 6544 Section 4.5: "the value for connection-address MUST be identical to the IP address
    // of a passive or simultaneous-open candidate from the same relay server".
    CHECK(table[*active].address == SocketAddress{relayed.ip, discard_port});
    CHECK(table[*passive].base == relayed);
    CHECK(table[*active].base == relayed);
    CHECK(table[*active].priority > table[*passive].priority);
    CHECK(table[*active].priority < candidate_priority(CandidateType::Host, 0, {}, Transport::Tcp));
    CHECK(table.find_base(relayed, Transport::Tcp) == *passive);
    table.retire(relayed, Transport::Tcp);
    CHECK(table.is_retired(*passive));
    CHECK(table.is_retired(*active));
}

TEST_CASE("ice tcp relayed: a relay connects to a peer that only listens") {
    TcpHosts two;
    two.left.add_tcp_relayed(two.network.now, "198.51.100.9:50000");
    two.right.add_tcp(two.network.now, "203.0.113.1:2100", TcpType::Passive);
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    const auto wanted = two.left.all<ConnectionWanted>();
    REQUIRE(wanted.size() == 1);
    CHECK(wanted[0].path == Path{relayed, at("203.0.113.1:2100")});
    const auto selected = two.left.all<PairSelected>();
    REQUIRE_FALSE(selected.empty());
    CHECK(selected.back().local_type == CandidateType::Relayed);
    CHECK(selected.back().path.local == relayed);
    // What the peer sees is the relay's address, which makes no candidate of ours.
    CHECK(two.left.all<CandidateFound>().empty());
}

TEST_CASE("ice tcp relayed: a peer that only opens connects to the relay") {
    TcpHosts two;
    two.left.add_tcp(two.network.now, "192.0.2.1:9", TcpType::Active);
    two.right.add_tcp_relayed(two.network.now, "198.51.100.9:50000");
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.connected());
    REQUIRE(two.over_tcp());
    const auto selected = two.right.all<PairSelected>();
    REQUIRE_FALSE(selected.empty());
    CHECK(selected.back().local_type == CandidateType::Relayed);
    CHECK(two.right.all<ConnectionWanted>().empty());
}

TEST_CASE("ice tcp relayed: a restart goes on over the connection that the relay has") {
    // From its one port there can be no second one to the same address: 446 of RFC 6062.
    TcpHosts two;
    const auto add = [&] {
        two.left.add_tcp_relayed(two.network.now, "198.51.100.9:50000");
        two.right.add_tcp(two.network.now, "203.0.113.1:2100", TcpType::Passive);
    };
    add();
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.connected());
    const auto old = two.left.agent.selected_flow();
    const std::size_t syns = two.network.streams.syns;
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now);
        peer->candidates.clear();
    }
    add();
    two.start_checks();
    two.network.run_for(5s);
    REQUIRE(two.connected());
    CHECK(two.left.agent.selected_flow() == old);
    CHECK(two.network.streams.syns == syns);
}

TEST_CASE("ice tcp relayed: with the allocation both candidates and the connection are gone") {
    TcpHosts two;
    two.left.add_tcp_relayed(two.network.now, "198.51.100.9:50000");
    two.right.add_tcp(two.network.now, "203.0.113.1:2100", TcpType::Passive);
    two.start_checks();
    two.network.run_for(2s);
    REQUIRE(two.over_tcp());
    two.left.agent.remove_base(two.network.now, relayed, Transport::Tcp);
    two.network.run_for(1ms);
    const auto lost = two.left.all<ConsentExpired>();
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].error == PairError{.kind = PairError::Kind::BaseLost});
}

}  // namespace
}  // namespace stile::ice
