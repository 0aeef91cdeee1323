// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What operators see of allocations, and channels that a faster path serves.
#include "world.hpp"

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

TEST_CASE("turn server: a session counts what is relayed, on channels and by indications") {
    World world;
    RawClient raw{world};
    world.now += 5s;
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    REQUIRE(raw.permit(other_peer) == 0);
    raw.send_on(0x4000, "seven");
    raw.send_on(0x4000, "");
    raw.send_indication(other_peer, "abc");
    world.from_peer(peer_address, relay_v4, "twelve chars");
    world.from_peer(other_peer, relay_v4, "no");
    world.from_peer(address("7.7.7.7:7"), relay_v4, "not permitted");
    const Traffic expected{.packets_to_peers = 3,
                           .octets_to_peers = 8,
                           .packets_to_clients = 2,
                           .octets_to_clients = 14};
    auto sessions = world.server.sessions(world.now);
    REQUIRE(sessions.size() == 1);
    const Session& session = sessions[0];
    CHECK(session.traffic == expected);
    CHECK(session.flow == raw.flow);
    CHECK(session.username == "alice");
    CHECK(session.owner == "alice");
    CHECK(session.relayed == std::vector{relay_v4});
    CHECK(session.started == start + 5s);
    CHECK(session.expires == start + 605s);
    REQUIRE(session.permissions.size() == 2);
    CHECK(session.permissions[0].peer == peer_address.ip);
    CHECK(session.permissions[0].expires == start + 305s);
    REQUIRE(session.channels.size() == 1);
    CHECK(session.channels[0].number == ChannelNumber{0x4000});
    CHECK(session.channels[0].peer == peer_address);
    // A bound channel that is refreshed, and one that expires, lose no count.
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    raw.send_on(0x4000, "x");
    world.now += 599s;
    REQUIRE(raw.code(Method::Refresh, [](Builder&) {}) == 0);
    world.now += 300s;
    REQUIRE(raw.bind(0x4000, address("8.8.8.8:1")) == 0);
    sessions = world.server.sessions(world.now);
    CHECK(sessions[0].traffic.packets_to_peers == 4);
    CHECK(sessions[0].traffic.octets_to_peers == 9);
    CHECK(sessions[0].permissions.size() == 1);
    CHECK(world.server.counters().octets_to_peers == 9);
}

TEST_CASE("turn server: a usage record says how much, and why it ended") {
    const auto usage_after = [](auto&& end) {
        World world;
        RawClient raw{world};
        raw.flow.transport = ClientTransport::Tcp;
        REQUIRE(raw.allocate() == 0);
        REQUIRE(raw.bind(0x4000, peer_address) == 0);
        raw.send_on(0x4000, "12345");
        end(world, raw);
        world.run_events();
        const auto closed = world.all<Server::AllocationClosed>();
        REQUIRE(closed.size() == 1);
        const Usage& usage = closed[0].usage;
        CHECK(usage.session.username == "alice");
        CHECK(usage.session.relayed == std::vector{relay_v4});
        CHECK(usage.session.traffic.octets_to_peers == 5);
        CHECK(usage.ended == world.now);
        return usage.why;
    };
    CHECK(usage_after([](World& world, RawClient&) { world.advance(600s); }) == EndReason::Expired);
    CHECK(usage_after([](World&, RawClient& raw) {
              REQUIRE(raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
          }) == EndReason::Released);
    CHECK(usage_after([](World& world, RawClient& raw) {
              world.server.handle_client_gone(world.now, raw.flow);
          }) == EndReason::ClientGone);
}

TEST_CASE("turn server: a ChannelBind that is refused installs no permission") {
    auto config = server_config();
    config.channels = 2;
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    CHECK(raw.bind(0x4000, other_peer) == 400);
    CHECK(raw.bind(0x4001, peer_address) == 400);
    REQUIRE(raw.bind(0x4001, address("7.7.7.7:7")) == 0);
    CHECK(raw.bind(0x4002, other_peer) == 508);
    CHECK(world.server.sessions(world.now).at(0).permissions.size() == 2);
    world.now += 299s;
    CHECK(raw.bind(0x4002, peer_address) == 400);
    world.now += 1s;
    CHECK(world.server.sessions(world.now).at(0).permissions.empty());
}

ServerConfig offload_config() {
    auto config = server_config();
    config.offload = Offer::Offered;
    return config;
}

TEST_CASE("turn server, offload: a channel is told when it is bound and when it lives longer") {
    World world{offload_config()};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    auto opened = world.all<ChannelOpened>();
    REQUIRE(opened.size() == 1);
    CHECK(opened[0].relay == world.id_of(relay_v4));
    CHECK(opened[0].flow == raw.flow);
    CHECK(opened[0].channel == ChannelNumber{0x4000});
    CHECK(opened[0].relayed == relay_v4);
    CHECK(opened[0].peer == peer_address);
    CHECK(opened[0].until == start + 300s);  // the permission ends first
    world.now += 200s;
    REQUIRE(raw.permit(other_peer) == 0);
    CHECK(world.all<ChannelOpened>().size() == 1);
    REQUIRE(raw.permit(peer_address) == 0);
    world.now += 200s;
    REQUIRE(raw.permit(peer_address) == 0);
    opened = world.all<ChannelOpened>();
    REQUIRE(opened.size() == 3);
    CHECK(opened[1].until == start + 500s);
    CHECK(opened[2].until == start + 600s);  // the channel ends first
    // A second channel to the same host extends the first one's permission.
    REQUIRE(raw.bind(0x4001, address("8.8.8.8:9001")) == 0);
    CHECK(world.all<ChannelOpened>().size() == 5);
    CHECK(world.all<ChannelClosed>().empty());
    REQUIRE(raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    CHECK(world.all<ChannelClosed>().size() == 2);
}

TEST_CASE("turn server, offload: not for streams, nor between relays of this server") {
    World world{offload_config()};
    RawClient alice{world};
    alice.flow.transport = ClientTransport::Tls;
    REQUIRE(alice.allocate() == 0);
    REQUIRE(alice.bind(0x4000, peer_address) == 0);
    RawClient bob{world, "bob", "hidden", "198.51.100.10:1"};
    REQUIRE(bob.allocate() == 0);
    REQUIRE(bob.bind(0x4000, relay_v4) == 0);
    CHECK(world.all<ChannelOpened>().empty());
    world.advance(3600s);
    CHECK(world.all<ChannelClosed>().empty());
}

TEST_CASE("turn server, offload: a channel whose number is reused was closed before") {
    World world{offload_config()};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    REQUIRE(raw.bind(0x4000, other_peer) == 400);
    CHECK(world.all<ChannelClosed>().empty());
    world.now += 599s;
    REQUIRE(raw.code(Method::Refresh, [](Builder&) {}) == 0);
    world.now += 1s;
    REQUIRE(raw.bind(0x4000, other_peer) == 0);
    REQUIRE(world.all<ChannelClosed>().size() == 1);
    CHECK(world.all<ChannelClosed>()[0].channel == ChannelNumber{0x4000});
    CHECK(world.all<ChannelClosed>()[0].relay == world.id_of(relay_v4));
    CHECK(world.all<ChannelOpened>().size() == 2);
}

TEST_CASE("turn server, offload: offloaded traffic counts, and an exceeded rate takes it back") {
    auto config = offload_config();
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 2000};
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    REQUIRE(raw.bind(0x4001, other_peer) == 0);
    const RelayId relay = world.id_of(relay_v4);
    const Traffic some{.packets_to_peers = 3,
                       .octets_to_peers = 900,
                       .packets_to_clients = 1,
                       .octets_to_clients = 100};
    world.server.handle_offloaded(world.now, relay, some);
    world.server.handle_offloaded(world.now, relay, some);
    world.run_events();
    CHECK(world.all<ChannelClosed>().empty());
    world.server.handle_offloaded(world.now, relay, some);
    world.server.handle_offloaded(world.now, relay, some);
    world.run_events();
    CHECK(world.all<ChannelClosed>().size() == 2);
    CHECK(world.server.sessions(world.now)[0].traffic.packets_to_peers == 12);
    CHECK(world.server.counters().octets_to_clients == 400);
    // Here the excess is dropped; with the next refresh they may go again.
    raw.send_on(0x4000, "x");
    CHECK(world.at_peers.empty());
    world.now += 10s;
    raw.send_on(0x4000, "x");
    CHECK(world.at_peers.size() == 1);
    const std::size_t before = world.all<ChannelOpened>().size();
    REQUIRE(raw.permit(peer_address) == 0);
    CHECK(world.all<ChannelOpened>().size() == before + 1);
    world.server.handle_offloaded(world.now, {.index = 99, .generation = 0}, some);
    CHECK(world.server.dropped(DropReason::UnknownRelay) == 1);
}

}  // namespace
}  // namespace stile::turn::test
