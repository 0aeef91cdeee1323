// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace std::chrono_literals;
using namespace test;

ConnectorConfig waiting_config(std::vector<std::string_view> hosts) {
    ConnectorConfig config = config_with(std::move(hosts));
    config.servers = Servers::ToCome;
    return config;
}

std::vector<TurnServer> relays() { return {{at("198.51.100.2:3478"), "user", "password"}}; }

TEST_CASE("connector: servers that come late are asked when they come") {
    Driven driven{waiting_config({"192.168.1.2:5000"})};
    driven.pass(300ms);
    CHECK(driven.count<CandidateGathered>() == 1);
    CHECK(driven.count<GatheringCompleted>() == 0);
    CHECK(driven.sent.empty());
    CHECK(driven.connector.awaits_servers());

    driven.connector.set_servers(driven.now, {at("198.51.100.1:3478")}, relays());
    CHECK_FALSE(driven.connector.awaits_servers());
    driven.pass(2 * proposed_ta);
    REQUIRE(driven.sent.size() == 2);
    CHECK(driven.sent[0].path.remote == at("198.51.100.2:3478"));
    CHECK(driven.sent[0].when == Instant{} + 300ms);
    CHECK(driven.sent[1].path.remote == at("198.51.100.1:3478"));
    CHECK(driven.count<GatheringCompleted>() == 0);
    driven.pass(limits::source_deadline + 1s);
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector: where there are none after all, gathering is complete at once") {
    Driven driven{waiting_config({"192.168.1.2:5000"})};
    driven.pass(300ms);
    driven.connector.set_servers(driven.now, {}, {});
    driven.settle();
    CHECK(driven.count<GatheringCompleted>() == 1);
    CHECK(driven.sent.empty());
    // They come once.
    driven.connector.set_servers(driven.now, {}, relays());
    driven.pass(1s);
    CHECK(driven.sent.empty());
}

TEST_CASE("connector: servers that never come hold gathering up for the deadline, and no longer") {
    Driven driven{waiting_config({"192.168.1.2:5000"})};
    driven.pass(limits::source_deadline - 1ms);
    CHECK(driven.count<GatheringCompleted>() == 0);
    driven.pass(1ms);
    CHECK(driven.count<GatheringCompleted>() == 1);
    // Even later they are of use: to a restart, and to a peer that learns a candidate by a check.
    driven.connector.set_servers(driven.now, {}, relays());
    driven.settle();
    CHECK(driven.sent.size() == 1);
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector: a path that needs no server is there before they are") {
    Driven left{waiting_config({"192.0.2.1:5000"}), 1};
    ConnectorConfig controlled = waiting_config({"203.0.113.1:6000"});
    controlled.ice.role = ice::Role::Controlled;
    Driven right{controlled, 2};
    REQUIRE(left.connector.set_remote_description(left.now, right.connector.local_description()));
    REQUIRE(right.connector.set_remote_description(right.now, left.connector.local_description()));
    exchange(left, right, 100ms);
    CHECK(left.connector.route());
    CHECK(right.connector.route());
}

TEST_CASE("connector: late servers are reached through a NAT64 where there is no IPv4") {
    ConnectorConfig config = waiting_config({"[2001:db8::1]:5000"});
    config.nat64_prefix = Nat64Prefix::well_known();
    Driven driven{config};
    driven.connector.set_servers(driven.now, {at("198.51.100.1:3478")}, {});
    driven.settle();
    REQUIRE(driven.sent.size() == 1);
    CHECK(driven.sent[0].path.remote == at("[64:ff9b::198.51.100.1]:3478"));
}

TEST_CASE("connector: after its release a connector asks nobody") {
    Driven driven{waiting_config({"192.168.1.2:5000"})};
    driven.connector.release(driven.now);
    driven.connector.set_servers(driven.now, {at("198.51.100.1:3478")}, relays());
    CHECK_FALSE(driven.settle());
    CHECK(driven.sent.empty());
}

}  // namespace
}  // namespace stile::connect
