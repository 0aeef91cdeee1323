// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"

namespace stile::ice {
namespace {

using namespace testing;

Path path(std::string_view local, std::string_view remote) { return {at(local), at(remote)}; }

TEST_CASE("ice agent: two hosts complete, data may flow after one round trip") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(5s);

    for (Peer* peer : {&two.left, &two.right}) {
        CHECK(peer->agent.state() == State::Completed);
        CHECK(peer->nominated());
        CHECK(peer->first_time<PairSelected>() == start + 20ms);
    }
    CHECK(two.left.agent.selected() == path("192.0.2.1:1000", "203.0.113.1:2000"));
    CHECK(two.right.agent.selected() == path("203.0.113.1:2000", "192.0.2.1:1000"));
    const auto selections = two.left.all<PairSelected>();
    REQUIRE(selections.size() == 2);
    CHECK(selections[0].selection == Selection::Provisional);
    CHECK(selections[0].round_trip == 20ms);
    CHECK(selections[1].selection == Selection::Nominated);
    CHECK(selections[1].local_type == CandidateType::Host);
    CHECK(selections[1].remote_type == CandidateType::Host);
}

TEST_CASE(
    "ice agent: with nothing better to come nomination follows the first valid pair at once") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(5s);
    // Valid at 20 ms; the next slot of Ta is at 50 ms, and its answer comes at 70 ms.
    CHECK(two.left.time_of(State::Completed) == start + 70ms);
    CHECK(two.right.time_of(State::Completed) == start + 60ms);
}

TEST_CASE("ice agent: nothing is sent before the peer's credentials are known") {
    TwoHosts two;
    two.network.run_for(60s);
    CHECK(two.network.log.empty());
    CHECK(two.left.agent.state() == State::Waiting);
    CHECK_FALSE(two.left.agent.poll_timeout());
}

TEST_CASE("ice agent: IPv6 works as IPv4 does, and the families are not paired") {
    TwoHosts two;
    two.left.add_host(start, "[2001:db8::1]:1000");
    two.right.add_host(start, "[2001:db8::2]:2000");
    exchange(start, two.left, two.right);
    CHECK(two.left.agent.pairs().size() == 2);
    two.network.run_for(5s);
    CHECK(two.left.agent.state() == State::Completed);
    // Added first, the IPv4 candidates have the higher local preference.
    CHECK(two.left.agent.selected() == path("192.0.2.1:1000", "203.0.113.1:2000"));
}

TEST_CASE("ice agent: two components each get a pair, and only both complete the session") {
    AgentConfig config{.components = 2};
    TwoHosts two{config};
    two.left.add_host(start, "192.0.2.1:1001", {2});
    two.right.add_host(start, "203.0.113.1:2001", {2});
    two.network.drops = [&](const Packet& packet) {
        return packet.nominates() && packet.to == at("203.0.113.1:2001") &&
               two.network.now < start + 2s;
    };
    exchange(start, two.left, two.right);
    two.network.run_for(1s);
    CHECK(two.left.agent.state() == State::Running);
    CHECK(two.left.agent.selected({1}));
    CHECK(two.left.agent.selected({2}));
    two.network.run_for(5s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(two.right.agent.state() == State::Completed);
    CHECK(two.right.agent.selected({2}) == path("203.0.113.1:2001", "192.0.2.1:1001"));
}

TEST_CASE("ice agent: the second component of a foundation stays frozen until the first succeeds") {
    AgentConfig config{.components = 2};
    TwoHosts two{config};
    two.left.add_host(start, "192.0.2.1:1001", {2});
    two.right.add_host(start, "203.0.113.1:2001", {2});
    exchange(start, two.left, two.right);
    auto pairs = two.left.agent.pairs();
    REQUIRE(pairs.size() == 2);
    CHECK(pairs[0].component == ComponentId{1});
    CHECK(pairs[0].state == PairState::Waiting);
    CHECK(pairs[1].state == PairState::Frozen);
    two.network.run_for(21ms);
    CHECK(two.left.agent.pairs()[1].state != PairState::Frozen);
}

TEST_CASE("ice agent: candidates that come late are tried, RFC 8838") {
    TwoHosts two;
    REQUIRE(two.left.agent.set_remote_credentials(start, two.right.agent.local_credentials()));
    REQUIRE(two.right.agent.set_remote_credentials(start, two.left.agent.local_credentials()));
    two.network.run_for(5s);
    CHECK(two.network.log.empty());
    REQUIRE(two.left.agent.add_remote_candidate(two.network.now, two.right.candidates[0]));
    two.network.run_for(30ms);
    CHECK(two.left.agent.selected());
    // The other side has discovered what it was never told.
    CHECK(two.right.agent.selected());
    const auto found = two.right.all<CandidateFound>();
    REQUIRE(found.size() == 1);
    CHECK(found[0].side == Side::Remote);
    CHECK(found[0].candidate.type == CandidateType::PeerReflexive);
    CHECK(found[0].candidate.address == at("192.0.2.1:1000"));
    CHECK(found[0].candidate.priority == peer_reflexive_priority(two.left.candidates[0].priority));
}

TEST_CASE("ice agent: a discovered candidate that is signalled later takes its type and priority") {
    TwoHosts two;
    signal(start, two.right, two.left);
    REQUIRE(two.right.agent.set_remote_credentials(start, two.left.agent.local_credentials()));
    two.network.run_for(100ms);
    const Candidate signalled = two.left.candidates[0];
    REQUIRE(two.right.agent.add_remote_candidate(two.network.now, signalled));
    REQUIRE(two.right.agent.remote_candidates().size() == 1);
    CHECK(two.right.agent.remote_candidates()[0] == signalled);
    const auto pairs = two.right.agent.pairs();
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].priority ==
          pair_priority(Role::Controlled, two.right.candidates[0].priority, signalled.priority));
}

TEST_CASE("ice agent: checks that come before the answer are answered and then acted on") {
    TwoHosts two;
    signal(start, two.right, two.left);  // the left one knows all, the right one nothing
    two.network.run_for(100ms);
    CHECK(two.left.agent.selected());
    CHECK(two.right.agent.state() == State::Waiting);
    CHECK_FALSE(two.right.agent.selected());
    const auto sent = two.network.log.size();
    REQUIRE(two.right.agent.set_remote_credentials(two.network.now,
                                                   two.left.agent.local_credentials()));
    two.network.run_for(30ms);
    CHECK(two.network.log.size() > sent);
    CHECK(two.right.agent.selected() == path("203.0.113.1:2000", "192.0.2.1:1000"));
}

TEST_CASE("ice agent: a nomination that came before the answer counts") {
    TwoHosts two;
    signal(start, two.right, two.left);
    two.left.agent.end_of_local_candidates(start);
    two.left.agent.end_of_remote_candidates(start);
    two.network.run_for(1s);
    CHECK(two.left.agent.state() == State::Completed);
    REQUIRE(two.right.agent.set_remote_credentials(two.network.now,
                                                   two.left.agent.local_credentials()));
    two.network.run_for(1s);
    CHECK(two.right.agent.state() == State::Completed);
}

TEST_CASE("ice agent: early checks of another than the peer that answered are not acted on") {
    TwoHosts two;
    Peer fork{{}, 77};
    two.network.join(fork);
    fork.add_host(start, "192.0.2.99:999");
    signal(start, two.right, fork);
    two.network.run_for(100ms);
    CHECK(fork.agent.selected());  // RFC 8445 Section 7.3: the answer needs no knowledge of it
    signal(two.network.now, two.left, two.right);
    CHECK(two.right.agent.remote_candidates().size() == 1);
    CHECK(two.right.agent.pairs().size() == 1);
}

TEST_CASE("ice agent: candidates may come before the credentials") {
    TwoHosts two;
    REQUIRE(two.left.agent.add_remote_candidate(start, two.right.candidates[0]));
    CHECK(two.left.agent.pairs().empty());
    REQUIRE(two.left.agent.set_remote_credentials(start, two.right.agent.local_credentials()));
    CHECK(two.left.agent.pairs().size() == 1);
    two.network.run_for(30ms);
    CHECK(two.left.agent.selected());
}

TEST_CASE("ice agent: after the end of candidates no more are taken, RFC 8838 Section 14") {
    TwoHosts two;
    signal(start, two.right, two.left);
    two.left.agent.end_of_remote_candidates(start);
    Candidate late = two.right.candidates[0];
    late.address = at("203.0.113.9:1");
    CHECK(two.left.agent.add_remote_candidate(start, late).error() == CandidateError::AfterEnd);
    CHECK(two.left.agent.pairs().size() == 1);
    two.left.agent.restart(start);
    CHECK(two.left.agent.add_remote_candidate(start, late));
}

TEST_CASE("ice agent: credentials are set once, the same again does nothing") {
    TwoHosts two;
    const Credentials good = two.right.agent.local_credentials();
    CHECK(two.left.agent.set_remote_credentials(start, {"abc", good.password}).error() ==
          CredentialsError::BadFragment);
    CHECK(two.left.agent.set_remote_credentials(start, {"abcd", "short"}).error() ==
          CredentialsError::BadPassword);
    CHECK(two.left.agent.set_remote_credentials(start, {"ab:d", good.password}).error() ==
          CredentialsError::BadFragment);
    CHECK(two.left.agent.state() == State::Waiting);
    CHECK(two.left.agent.set_remote_credentials(start, good));
    CHECK(two.left.agent.set_remote_credentials(start, good));
    CHECK(two.left.agent.set_remote_credentials(start, {"other", good.password}).error() ==
          CredentialsError::AlreadySet);
}

TEST_CASE("ice agent: a lite peer makes this side controlling") {
    Peer peer{{.role = Role::Controlled}, 5};
    const RemoteParameters lite{
        .credentials = {"abcd", "0123456789012345678901"}, .kind = PeerKind::Lite, .ta = {}};
    REQUIRE(peer.agent.set_remote(start, lite));
    CHECK(peer.agent.role() == Role::Controlling);
}

TEST_CASE("ice agent: fails only when the PAC timer has run out, RFC 8863") {
    TwoHosts two;
    two.network.drops = [](const Packet&) { return true; };
    exchange(start, two.left, two.right);
    two.network.run_for(39s);
    CHECK(two.left.agent.state() == State::Running);
    two.network.run_for(2s);
    CHECK(two.left.agent.state() == State::Failed);
    const auto failures = two.left.all<Failed>();
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].reason == FailureReason::NoValidPair);
    REQUIRE(two.left.agent.pairs().size() == 1);
    CHECK(two.left.agent.pairs()[0].last_error == PairError{.kind = PairError::Kind::TimedOut});
}

TEST_CASE("ice agent: without any candidate it fails when the PAC timer runs out, not before") {
    Peer peer{{}, 3};
    Network network;
    network.join(peer);
    REQUIRE(peer.agent.set_remote_credentials(start, {"abcd", "0123456789012345678901"}));
    end_candidates(start, peer, peer);
    CHECK(peer.agent.poll_timeout() == start + 39500ms);
    network.run_for(60s);
    CHECK(peer.time_of(State::Failed) == start + 39500ms);
}

TEST_CASE("ice agent: a check from the peer revives an agent that found nothing") {
    TwoHosts two;
    signal(start, two.left, two.right);
    two.network.drops = [](const Packet&) { return true; };
    two.network.run_for(60s);
    REQUIRE(two.right.agent.state() == State::Failed);
    two.network.drops = [](const Packet&) { return false; };
    signal(two.network.now, two.right, two.left);
    two.network.run_for(5s);
    CHECK(two.right.agent.selected());
    CHECK(two.right.agent.state() != State::Failed);
}

TEST_CASE("ice agent: a request answered from another address fails the pair, RFC 8445 7.2.5.2.1") {
    TwoHosts two;
    signal(start, two.right, two.left);
    // What the right one answers arrives as if from another port.
    Peer& left = two.left;
    Nat liar{.outside = IpAddress::v4({203, 0, 113, 9})};
    liar.filtering = Nat::Kind::EndpointIndependent;
    Network& network = two.network;
    network.drops = [&](const Packet& packet) {
        if (packet.sender != &two.right) return false;
        network.inject(left, path("192.0.2.1:1000", "203.0.113.9:9999"), packet.payload);
        return true;
    };
    network.run_for(40ms);
    REQUIRE(left.agent.pairs().size() == 1);
    CHECK(left.agent.pairs()[0].state == PairState::Failed);
    CHECK(left.agent.pairs()[0].last_error == PairError{.kind = PairError::Kind::NotSymmetric});
    CHECK_FALSE(left.agent.selected());
}

TEST_CASE("ice agent: what cannot be sent fails at once and the next pair is tried") {
    TwoHosts two;
    two.right.add_host(start, "203.0.113.2:2000");
    exchange(start, two.left, two.right);
    const Path first = path("192.0.2.1:1000", "203.0.113.1:2000");
    two.network.drops = [&](const Packet& packet) { return packet.to == first.remote; };
    two.left.agent.handle_timeout(start);
    two.left.agent.handle_send_failed(start, first);
    CHECK(two.left.agent.pairs()[0].last_error == PairError{.kind = PairError::Kind::SendFailed});
    two.network.run_for(5s);
    CHECK(two.left.agent.selected());
}

TEST_CASE("ice agent: a base that goes away takes its pairs with it") {
    TwoHosts two;
    two.left.add_host(start, "192.0.2.2:1000");
    two.right.add_host(start, "203.0.113.2:2000");
    signal(start, two.left, two.right);
    signal(start, two.right, two.left);
    two.network.run_for(1s);
    const auto before = two.left.agent.selected();
    REQUIRE(before);
    two.left.agent.remove_base(two.network.now, before->local);
    const auto after = two.left.agent.selected();
    REQUIRE(after);
    CHECK(after->local != before->local);
    two.network.run_for(1s);
    REQUIRE(two.left.all<ConsentExpired>().size() == 1);
    CHECK(two.left.all<ConsentExpired>()[0].error == PairError{.kind = PairError::Kind::BaseLost});
}

TEST_CASE("ice agent: link-local IPv6 and loopback meet only their like") {
    Peer peer{{}, 3};
    peer.add_host(start, "[fe80::1]:1");
    peer.add_host(start, "[2001:db8::1]:2");
    peer.add_host(start, "192.0.2.1:3");
    REQUIRE(peer.agent.set_remote_credentials(start, {"abcd", "0123456789012345678901"}));
    std::uint32_t priority = 100;
    for (const char* text : {"[fe80::2]:1", "[2001:db8::2]:1", "127.0.0.1:1", "[::1]:1"}) {
        Candidate candidate{.address = at(text), .priority = priority++, .foundation = "1"};
        REQUIRE(peer.agent.add_remote_candidate(start, candidate));
    }
    const auto pairs = peer.agent.pairs();
    REQUIRE(pairs.size() == 2);
    for (const auto& pair : pairs) {
        CHECK(pair.path.local.ip.is_link_local() == pair.path.remote.ip.is_link_local());
        CHECK_FALSE(pair.path.remote.ip.is_loopback());
    }
}

}  // namespace
}  // namespace stile::ice
