// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What one user may have: every option bites, and only its user.
#include "world.hpp"

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

// Two allocations of alice, one of bob, each with a channel to the same peer.
struct Users {
    explicit Users(const ServerConfig& config) : world(config) {
        for (RawClient* each : {&alice, &alice_too, &bob}) {
            REQUIRE(each->allocate() == 0);
            REQUIRE(each->bind(0x4000, peer_address) == 0);
        }
    }
    World world;
    RawClient alice{world};
    RawClient alice_too{world, "alice", "secret", "198.51.100.10:1"};
    RawClient bob{world, "bob", "hidden", "198.51.100.11:1"};
};

TEST_CASE("turn server, quotas: packets a second, over all relays of a user and both ways") {
    auto config = server_config();
    config.user_packets = TokenRate{.per_second = 10, .burst = 4};
    Users users{config};
    users.alice.send_on(0x4000, "1");
    users.alice_too.send_on(0x4000, "2");
    users.world.from_peer(peer_address, relay_v4, "3");
    users.world.from_peer(peer_address, relay_v4, "4");
    users.alice.send_on(0x4000, "5");
    users.alice_too.send_indication(peer_address, "6");
    CHECK(users.world.at_peers.size() == 2);
    CHECK(users.world.server.counters().packets_to_clients == 2);
    CHECK(users.world.server.dropped(DropReason::Bandwidth) == 2);
    users.bob.send_on(0x4000, "bob");
    CHECK(users.world.at_peers.size() == 3);
    users.world.now += 100ms;
    users.alice.send_on(0x4000, "7");
    users.alice.send_on(0x4000, "8");
    CHECK(users.world.at_peers.size() == 4);
}

TEST_CASE("turn server, quotas: octets a second, over all relays of a user and both ways") {
    auto config = server_config();
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 100};
    Users users{config};
    users.alice.send_on(0x4000, std::string(60, 'x'));
    users.world.from_peer(peer_address, relay_v4, std::string(30, 'y'));
    users.alice_too.send_on(0x4000, std::string(11, 'z'));
    CHECK(users.world.at_peers.size() == 1);
    users.alice_too.send_on(0x4000, std::string(10, 'z'));
    CHECK(users.world.at_peers.size() == 2);
    users.bob.send_on(0x4000, std::string(100, 'b'));
    CHECK(users.world.at_peers.size() == 3);
    users.world.now += 50ms;
    users.alice.send_on(0x4000, std::string(51, 'x'));
    users.alice.send_on(0x4000, std::string(50, 'x'));
    CHECK(users.world.at_peers.size() == 4);
}

TEST_CASE("turn server, quotas: peers that are new, a minute; refreshing old ones is free") {
    auto config = server_config();
    config.user_new_peers = 6;
    Users users{config};  // alice has named one peer in each of two allocations
    const auto peer = [](int i) {
        return SocketAddress{.ip = IpAddress::v4(0x01010100U + static_cast<std::uint32_t>(i)),
                             .port = {9}};
    };
    for (int i = 0; i < 4; ++i) CHECK(users.alice.permit(peer(i)) == 0);
    CHECK(users.alice.permit(peer(5)) == 508);
    CHECK(users.alice_too.bind(0x4001, peer(6)) == 508);
    for (int i = 0; i < 4; ++i) CHECK(users.alice.permit(peer(i)) == 0);
    CHECK(users.bob.permit(peer(5)) == 0);
    users.world.now += 10s;
    CHECK(users.alice_too.bind(0x4001, peer(6)) == 0);
    CHECK(users.alice.permit(peer(5)) == 508);
    // One request for more than is left names none.
    users.world.now += 10s;
    CHECK(users.alice.code(Method::CreatePermission, [&](Builder& b) {
        b.add(stun::XorPeerAddress{peer(7)}).add(stun::XorPeerAddress{peer(8)});
    }) == 508);
    CHECK(users.world.server.sessions(users.world.now)[0].permissions.size() == 5);
    // A whole minute's worth comes back, and no more.
    users.world.now += 3600s;
    users.world.server.handle_timeout(users.world.now);
    users.world.run_events();
    REQUIRE(users.alice.allocate() == 0);
    for (int i = 0; i < 7; ++i) CHECK(users.alice.permit(peer(20 + i)) == (i < 6 ? 0 : 508));
}

TEST_CASE("turn server, quotas: giving all back and asking anew brings no new burst") {
    auto config = server_config();
    config.user_new_peers = 6;
    config.user_packets = TokenRate{.per_second = 1, .burst = 3};
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    for (unsigned i = 0; i < 6; ++i) {
        REQUIRE(raw.permit({.ip = IpAddress::v4(0x01010100U + i), .port = {}}) == 0);
    }
    for (int i = 0; i < 3; ++i) raw.send_indication(address("1.1.1.1:9"), "x");
    REQUIRE(world.at_peers.size() == 3);
    REQUIRE(raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    REQUIRE(world.server.relays() == 0);
    REQUIRE(raw.allocate() == 0);
    CHECK(raw.permit(peer_address) == 508);
    world.now += 10s;
    REQUIRE(raw.permit(peer_address) == 0);
    for (int i = 0; i < 4; ++i) raw.send_indication(peer_address, "x");
    CHECK(world.at_peers.size() == 6);
}

TEST_CASE("turn server, quotas: time-limited names of one user share, whatever their time") {
    auto config = server_config();
    config.relays_per_user = 2;
    config.user_packets = TokenRate{.per_second = 1, .burst = 3};
    World world{config};
    const SharedSecret secret{.secret = "shared"};
    REQUIRE(world.server.credentials().set_shared_secrets({secret}));
    std::deque<RawClient> clients;
    for (int i = 0; i < 3; ++i) {
        const auto made =
            make_time_limited(secret, wall_start + std::chrono::seconds{1000 + i}, "carol");
        clients.emplace_back(world, made.username, made.password,
                             "198.51.100.10:" + std::to_string(1 + i));
        CHECK(clients.back().allocate() == (i < 2 ? 0 : 486));
    }
    for (int i = 0; i < 2; ++i) {
        RawClient& each = clients[static_cast<std::size_t>(i)];
        REQUIRE(each.bind(0x4000, peer_address) == 0);
        each.send_on(0x4000, "1");
        each.send_on(0x4000, "2");
    }
    CHECK(world.at_peers.size() == 3);
    CHECK(world.server.sessions(world.now)[0].owner == "carol");
}

TEST_CASE("turn server, credentials: secrets rotate with time, of either digest") {
    World world;
    const SharedSecret old_secret{.secret = "old"};
    const SharedSecret new_secret{.secret = "new", .digest = SecretDigest::Sha256};
    auto& table = world.server.credentials();
    REQUIRE(table.set_shared_secrets({old_secret}));
    int port = 1;
    const auto code = [&](const SharedSecret& secret, std::chrono::seconds life) {
        const WallTime now =
            wall_start + std::chrono::floor<std::chrono::seconds>(world.now - start);
        const auto made = make_time_limited(secret, now + life, "dave");
        RawClient raw{world, made.username, made.password,
                      "198.51.100.10:" + std::to_string(port++)};
        return raw.allocate();
    };
    CHECK(code(old_secret, 60s) == 0);
    CHECK(code(new_secret, 60s) == 401);
    REQUIRE(table.set_shared_secrets({new_secret, old_secret}));
    CHECK(code(old_secret, 60s) == 0);
    CHECK(code(new_secret, 60s) == 0);
    CHECK(code(new_secret, 0s) == 401);
    CHECK(code(new_secret, -1s) == 401);
    // The same secret with the other digest proves nothing.
    CHECK(code({.secret = "new"}, 60s) == 401);
    world.now += 3600s;
    REQUIRE(table.set_shared_secrets({new_secret}));
    CHECK(code(old_secret, 60s) == 401);
    CHECK(code(new_secret, 60s) == 0);
    // A name that was good when it was made is not good for ever.
    const auto made = make_time_limited(new_secret, wall_start + 3700s, "erin");
    RawClient raw{world, made.username, made.password, "198.51.100.20:1"};
    CHECK(raw.allocate() == 0);
    world.now += 200s;
    RawClient late{world, made.username, made.password, "198.51.100.20:2"};
    CHECK(late.allocate() == 401);
    CHECK(raw.code(Method::Refresh, [](Builder&) {}) == 0);
}

}  // namespace
}  // namespace stile::turn::test
