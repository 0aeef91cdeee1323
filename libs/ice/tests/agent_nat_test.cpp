// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"

namespace stile::ice {
namespace {

using namespace testing;
using enum Nat::Kind;

// Two hosts, each behind a NAT of its own, with a host and a server reflexive candidate.
struct TwoNats {
    Network network;
    Nat left_nat{.outside = IpAddress::v4({192, 0, 2, 1})};
    Nat right_nat{.outside = IpAddress::v4({203, 0, 113, 1})};
    Peer left{{.role = Role::Controlling}, 11};
    Peer right{{.role = Role::Controlled}, 12};

    explicit TwoNats(Nat::Kind left_mapping = EndpointIndependent,
                     Nat::Kind right_mapping = EndpointIndependent) {
        left_nat.mapping = left_mapping;
        right_nat.mapping = right_mapping;
        left.nat = &left_nat;
        right.nat = &right_nat;
        network.join(left);
        network.join(right);
        left.add_host(start, "10.0.0.2:1000");
        right.add_host(start, "192.168.7.2:2000");
        left.add_reflexive(start, "10.0.0.2:1000");
        right.add_reflexive(start, "192.168.7.2:2000");
    }
};

TEST_CASE("ice agent behind NATs: server reflexive candidates meet through two filters") {
    TwoNats world;
    exchange(start, world.left, world.right);
    world.network.run_for(10s);
    CHECK(world.left.agent.state() == State::Completed);
    CHECK(world.right.agent.state() == State::Completed);
    const auto selection = world.left.all<PairSelected>().back();
    CHECK(selection.local_type == CandidateType::ServerReflexive);
    CHECK(selection.remote_type == CandidateType::ServerReflexive);
    CHECK(selection.path.local == at("10.0.0.2:1000"));  // data leaves from the base
    CHECK(selection.path.remote.ip == world.right_nat.outside);
}

TEST_CASE("ice agent behind NATs: a reflexive candidate makes no pair beside its base's") {
    TwoNats world;
    exchange(start, world.left, world.right);
    // Two local candidates of one base and two remote ones.
    CHECK(world.left.agent.pairs().size() == 2);
}

TEST_CASE("ice agent behind NATs: two hosts behind the same one meet inside") {
    Network network;
    Nat nat{.outside = IpAddress::v4({192, 0, 2, 1})};
    Peer left{{.role = Role::Controlling}, 1};
    Peer right{{.role = Role::Controlled}, 2};
    for (Peer* peer : {&left, &right}) {
        peer->nat = &nat;
        network.join(*peer);
    }
    left.add_host(start, "10.0.0.2:1");
    right.add_host(start, "10.0.0.3:1");
    left.add_reflexive(start, "10.0.0.2:1");
    right.add_reflexive(start, "10.0.0.3:1");
    exchange(start, left, right);
    network.run_for(5s);
    CHECK(left.agent.selected() == Path{at("10.0.0.2:1"), at("10.0.0.3:1")});
    CHECK(right.agent.selected() == Path{at("10.0.0.3:1"), at("10.0.0.2:1")});
    CHECK(left.nominated());
}

TEST_CASE("ice agent behind NATs: peer reflexive candidates are found on both sides") {
    TwoNats world{AddressAndPortDependent, EndpointIndependent};
    world.right_nat.filtering = EndpointIndependent;  // full cone: anybody reaches the mapping
    exchange(start, world.left, world.right);
    world.network.run_for(10s);
    CHECK(world.left.agent.state() == State::Completed);
    // The left one's mapping towards the right one is new to both.
    const auto left_found = world.left.all<CandidateFound>();
    const auto right_found = world.right.all<CandidateFound>();
    REQUIRE(left_found.size() == 1);
    REQUIRE(right_found.size() == 1);
    CHECK(left_found[0].side == Side::Local);
    CHECK(right_found[0].side == Side::Remote);
    CHECK(left_found[0].candidate.address == right_found[0].candidate.address);
    CHECK(left_found[0].candidate.base == at("10.0.0.2:1000"));
    CHECK(left_found[0].candidate.priority == right_found[0].candidate.priority);
    CHECK(world.left.all<PairSelected>().back().local_type == CandidateType::PeerReflexive);
    CHECK(world.right.all<PairSelected>().back().remote_type == CandidateType::PeerReflexive);
}

TEST_CASE("ice agent behind NATs: two that cannot be passed leave the relay") {
    TwoNats world{AddressAndPortDependent, AddressAndPortDependent};
    world.left.add_relay(start, "198.51.100.1:50000");
    exchange(start, world.left, world.right);
    world.network.run_for(30s);
    CHECK(world.left.agent.state() == State::Completed);
    CHECK(world.right.agent.state() == State::Completed);
    const auto left = world.left.all<PairSelected>().back();
    CHECK(left.local_type == CandidateType::Relayed);
    CHECK(left.path.local == at("198.51.100.1:50000"));
    CHECK(world.right.agent.selected()->remote == at("198.51.100.1:50000"));
}

TEST_CASE("ice agent behind NATs: without a relay two that cannot be passed fail with reasons") {
    TwoNats world{AddressAndPortDependent, AddressAndPortDependent};
    exchange(start, world.left, world.right);
    world.network.run_for(120s);
    CHECK(world.left.agent.state() == State::Failed);
    CHECK(world.right.agent.state() == State::Failed);
    for (const auto& pair : world.left.agent.pairs()) {
        CHECK(pair.state == PairState::Failed);
        CHECK(pair.last_error == PairError{.kind = PairError::Kind::TimedOut});
    }
}

TEST_CASE("ice agent behind NATs: data starts on the relay and moves to the better pair") {
    TwoNats world;
    world.left.add_relay(start, "198.51.100.1:50000");
    world.network.drops = [&](const Packet& packet) {
        return packet.from != at("198.51.100.1:50000") && packet.to != at("198.51.100.1:50000") &&
               world.network.now < start + 2s;
    };
    exchange(start, world.left, world.right);
    world.network.run_for(1s);
    REQUIRE(world.left.agent.selected());
    CHECK(world.left.agent.selected()->local == at("198.51.100.1:50000"));
    CHECK_FALSE(world.left.nominated());
    world.network.run_for(14s);
    CHECK(world.left.agent.selected()->local == at("10.0.0.2:1000"));
    CHECK(world.left.nominated());
    CHECK(world.right.nominated());
    for (const auto& pair : world.right.agent.pairs()) {
        CHECK(pair.selected == (pair.path == *world.right.agent.selected()));
    }
}

TEST_CASE("ice agent nomination: waits while better pairs are tried, as long as patience lasts") {
    TwoHosts two;
    two.right.add_host(start, "203.0.113.2:2000");
    const SocketAddress better = at("203.0.113.1:2000");
    two.network.drops = [&](const Packet& packet) {
        return packet.to == better || packet.from == better;
    };
    exchange(start, two.left, two.right);
    two.network.run_for(10s);
    const auto nomination = std::find_if(two.network.log.begin(), two.network.log.end(),
                                         [](const Packet& packet) { return packet.nominates(); });
    REQUIRE(nomination != two.network.log.end());
    const auto valid = two.left.first_time<PairSelected>();
    REQUIRE(valid);
    CHECK(nomination->when == *valid + AgentConfig{}.nomination_patience);
    CHECK(nomination->to == at("203.0.113.2:2000"));
}

TEST_CASE("ice agent nomination: a better pair that works in time is what is nominated") {
    TwoHosts two;
    two.right.add_host(start, "203.0.113.2:2000");
    const SocketAddress better = at("203.0.113.1:2000");
    two.network.drops = [&](const Packet& packet) {
        return (packet.to == better || packet.from == better) && two.network.now < start + 1s;
    };
    exchange(start, two.left, two.right);
    two.network.run_for(10s);
    const auto selections = two.left.all<PairSelected>();
    REQUIRE(selections.size() == 3);
    CHECK(selections[0].path.remote == at("203.0.113.2:2000"));
    CHECK(selections[1].path.remote == better);
    CHECK(selections[1].selection == Selection::Provisional);
    CHECK(selections[2].path.remote == better);
    CHECK(selections[2].selection == Selection::Nominated);
    CHECK(two.right.agent.selected()->local == better);
}

TEST_CASE("ice agent nomination: waits for candidates that may still come, then no longer") {
    TwoHosts two;
    signal(start, two.left, two.right);
    signal(start, two.right, two.left);
    two.network.run_for(1s);
    CHECK(two.left.agent.selected());
    CHECK_FALSE(two.left.nominated());
    SUBCASE("patience") {
        two.network.run_for(3s);
        CHECK(two.left.time_of(State::Completed) == start + 20ms + 3s + 20ms);
    }
    SUBCASE("end of candidates") {
        end_candidates(two.network.now, two.left, two.right);
        two.network.run_for(100ms);
    }
    CHECK(two.left.nominated());
    CHECK(two.right.nominated());
}

TEST_CASE("ice agent nomination: is for a relayed pair only after the longer patience") {
    TwoNats world{AddressAndPortDependent, AddressAndPortDependent};
    world.left.add_relay(start, "198.51.100.1:50000");
    exchange(start, world.left, world.right);
    world.network.run_for(9s);
    CHECK(world.left.agent.selected());
    CHECK_FALSE(world.left.nominated());
    world.network.run_for(2s);
    CHECK(world.left.nominated());
}

}  // namespace
}  // namespace stile::ice
