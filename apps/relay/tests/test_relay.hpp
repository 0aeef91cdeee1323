// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "test_client.hpp"

#include <stile/relay/relay.hpp>

#include <doctest/doctest.h>

namespace stile::relay::testing {

inline SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

inline constexpr std::string_view realm = "relay.example";
inline constexpr std::string_view username = "alice";
inline constexpr std::string_view password = "wonderland";

inline Account account_of(std::string_view user, std::string_view secret,
                          std::string_view of_realm = realm) {
    const auto key = [&](stun::PasswordAlgorithm algorithm) {
        const auto made = stun::IntegrityKey::long_term(user, of_realm, secret, algorithm);
        return to_bytes(made.octets());
    };
    return {.username = std::string{user},
            .keys = {.md5 = key(stun::PasswordAlgorithm::Md5),
                     .sha256 = key(stun::PasswordAlgorithm::Sha256)}};
}

// One listener on 127.0.0.1, relays on 127.0.0.2, peers on 127.0.0.0/8 and ::1 allowed.
inline Settings settings_of(std::vector<Listener> listeners) {
    Settings settings;
    settings.listeners = std::move(listeners);
    settings.relay_addresses = {{.local = at("127.0.0.2:0").ip, .external = {}}};
    settings.shards = 1;
    Tenant tenant;
    tenant.realm = realm;
    tenant.accounts.push_back(account_of(username, password));
    REQUIRE(tenant.limits.peers.open(*IpPrefix::parse("127.0.0.0/8")));
    REQUIRE(tenant.limits.peers.open(*IpPrefix::parse("::1/128")));
    settings.tenants.push_back(std::move(tenant));
    return settings;
}

inline std::unique_ptr<Relay> start(Settings settings, Relay::OnHttps on_https = {}) {
    auto relay = Relay::start(std::move(settings), std::move(on_https));
    REQUIRE_MESSAGE(relay, (relay ? std::string{} : relay.error().what + relay.error().cause));
    return *std::move(relay);
}

inline turn::ClientConfig client_config(
    turn::ClientTransport transport = turn::ClientTransport::Udp) {
    turn::ClientConfig config;
    config.transport = transport;
    config.username = username;
    config.password = password;
    return config;
}

inline bool run(drivers::Loop& loop, std::move_only_function<bool()> done) {
    return loop.run_until(std::move(done), std::chrono::seconds{10}) ==
           drivers::Loop::Outcome::Done;
}

// A client over UDP that has its allocation.
inline std::unique_ptr<TestClient> udp_client(drivers::Loop& loop, const SocketAddress& server,
                                              turn::ClientConfig config = client_config()) {
    const SocketAddress local{server.ip, {}};
    auto client =
        std::make_unique<TestClient>(loop, udp_wire(loop, local, server), std::move(config));
    REQUIRE(run(loop, [&] { return client->find<turn::Client::Allocated>() != nullptr; }));
    return client;
}

inline void bind_channel(drivers::Loop& loop, TestClient& client, const SocketAddress& peer) {
    client.bind(peer);
    REQUIRE(run(loop, [&] { return client.find<turn::Client::ChannelBound>() != nullptr; }));
}

// Both ways, over a channel.
inline void check_relaying(drivers::Loop& loop, TestClient& client, TestPeer& peer) {
    const std::size_t before = peer.heard.size();
    client.send(peer.address(), "up");
    REQUIRE(run(loop, [&] { return peer.heard.size() == before + 1; }));
    const std::size_t heard = client.heard.size();
    peer.send(client.relayed(), "down");
    REQUIRE(run(loop, [&] { return client.heard.size() == heard + 1; }));
}

}  // namespace stile::relay::testing
