// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Sending clients elsewhere, and what several servers of one host share.
#include "world.hpp"

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

const SocketAddress elsewhere_v4 = address("192.0.2.77:3478");
const SocketAddress elsewhere_v6 = address("[2001:db8::77]:3478");

stun::MessageView ask_allocate(RawClient& raw) {
    return raw.ask(Method::Allocate, [](Builder& b) { b.add(stun::RequestedTransport{}); });
}

TEST_CASE("turn server: 300 to who asks for a new allocation of a server that ends") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    world.server.drain(
        Redirect{.address = elsewhere_v4, .other_family = elsewhere_v6, .domain = "t.example"});
    RawClient other{world, "bob", "hidden", "198.51.100.10:1"};
    const auto answer = ask_allocate(other);
    CHECK(RawClient::code_of(answer) == 300);
    CHECK(other.trust == Server::Trust::Authenticated);
    CHECK(answer.has(stun::AttributeType::MessageIntegritySha256));
    CHECK(answer.get<stun::AlternateDomain>().value().text == "t.example");
    std::vector<SocketAddress> servers;
    for (const auto attribute : answer.attributes()) {
        if (attribute.type != stun::AttributeType::AlternateServer) continue;
        servers.push_back(
            stun::AlternateServer::decode(attribute.value, answer.id()).value().address);
    }
    // The client's own family first. RFC 8489 Section 10.
    CHECK(servers == std::vector{elsewhere_v4, elsewhere_v6});
    RawClient v6{world, "bob", "hidden", "[2a01::1]:5"};
    CHECK(ask_allocate(v6).get<stun::AlternateServer>().value().address == elsewhere_v6);
    // A stranger learns nothing of it, and what exists lives on.
    RawClient stranger{world, "mallory", "guess", "198.51.100.11:1"};
    CHECK(stranger.allocate() == 401);
    CHECK(raw.code(Method::Refresh, [](Builder&) {}) == 0);
    CHECK(raw.permit(peer_address) == 0);
}

TEST_CASE("turn server: 508 to a client whose family the redirection does not have") {
    World world;
    world.server.drain(Redirect{.address = elsewhere_v4, .other_family = {}, .domain = {}});
    RawClient v6{world, "bob", "hidden", "[2a01::1]:5"};
    CHECK(v6.allocate() == 508);
    RawClient v4{world};
    const auto answer = ask_allocate(v4);
    CHECK(RawClient::code_of(answer) == 300);
    CHECK_FALSE(answer.has(stun::AttributeType::AlternateDomain));
}

TEST_CASE("relay directory: a bit a port, by protocol, and only at listed addresses") {
    RelayDirectory directory{{{.local = ip("10.0.0.5"), .external = ip("198.51.100.1")},
                              {.local = ip("2a00::1"), .external = ip("2a00::1")}}};
    using enum RelayProtocol;
    for (const unsigned number : {0U, 1U, 63U, 64U, 49152U, 65535U}) {
        const auto port = static_cast<std::uint16_t>(number);
        const SocketAddress at{.ip = ip("198.51.100.1"), .port = {port}};
        CHECK_FALSE(directory.contains(at, Udp));
        directory.add(at, Udp);
        CHECK(directory.contains(at, Udp));
        CHECK_FALSE(directory.contains(at, Tcp));
        CHECK_FALSE(directory.contains({.ip = ip("2a00::1"), .port = {port}}, Udp));
        CHECK_FALSE(directory.contains({.ip = ip("10.0.0.5"), .port = {port}}, Udp));
    }
    directory.remove(address("198.51.100.1:64"), Udp);
    CHECK_FALSE(directory.contains(address("198.51.100.1:64"), Udp));
    CHECK(directory.contains(address("198.51.100.1:63"), Udp));
    directory.add(address("203.0.113.1:5"), Udp);
    CHECK_FALSE(directory.contains(address("203.0.113.1:5"), Udp));
    CHECK(directory.is_relay_address(ip("198.51.100.1")));
    CHECK_FALSE(directory.is_relay_address(ip("10.0.0.5")));
    CHECK(directory.translates());
    CHECK(directory.local_of(address("198.51.100.1:63")) == address("10.0.0.5:63"));
    CHECK(directory.local_of(address("[2a00::1]:63")) == address("[2a00::1]:63"));
    CHECK(directory.external_of(address("10.0.0.5:63"), Udp) == address("198.51.100.1:63"));
    CHECK(directory.external_of(address("10.0.0.5:63"), Tcp) == address("10.0.0.5:63"));
    CHECK(directory.external_of(address("10.0.0.5:62"), Udp) == address("10.0.0.5:62"));
    CHECK(directory.external_of(address("8.8.8.8:63"), Udp) == address("8.8.8.8:63"));
}

// Two shards of one host behind 1:1 NAT, each with the relayed addresses that its world gives out.
struct Shards {
    RelayDirectory directory{{{.local = ip("10.0.0.5"), .external = relay_v4.ip}}};
    ServerConfig config_of(std::uint8_t shard) {
        auto config = server_config();
        config.tcp_relays = Offer::Offered;
        config.shard = shard;
        config.directory = &directory;
        return config;
    }
    World first{config_of(0)};
    World second{config_of(1), 2};
    SocketAddress open_second() {
        second.next_port = 50000;
        REQUIRE(bob.allocate() == 0);
        return {.ip = relay_v4.ip, .port = {50000}};
    }
    RawClient alice{first};
    RawClient bob{second, "bob", "hidden", "198.51.100.10:1"};
};

TEST_CASE("turn server, shards: users of two shards reach each other, with both permissions") {
    Shards shards;
    REQUIRE(shards.alice.allocate() == 0);
    const SocketAddress at_bob = shards.open_second();
    CHECK(shards.directory.contains(at_bob, RelayProtocol::Udp));
    REQUIRE(shards.alice.bind(0x4000, at_bob) == 0);
    shards.alice.send_on(0x4000, "hello");
    // On the wire of this host the external address means nothing.
    REQUIRE(shards.first.at_peers.size() == 1);
    CHECK(shards.first.at_peers[0].path.remote == address("10.0.0.5:50000"));
    const RelayId bobs = shards.second.id_of(at_bob);
    const SocketAddress source{.ip = ip("10.0.0.5"), .port = relay_v4.port};
    CHECK_FALSE(shards.second.server.handle_peer(start, bobs, source, as_bytes("hello")));
    CHECK(shards.second.server.dropped(DropReason::NoPermission) == 1);
    REQUIRE(shards.bob.permit(relay_v4) == 0);
    const auto message = shards.second.server.handle_peer(start, bobs, source, as_bytes("hello"));
    REQUIRE(message);
    const Bytes whole = concatenate(*message);
    const auto data = stun::MessageView::parse(whole);
    CHECK(data->get<stun::XorPeerAddress>().value().address == relay_v4);
}

TEST_CASE("turn server, shards: no other port of a relay's address is ever a peer") {
    Shards shards;
    REQUIRE(shards.alice.allocate() == 0);
    const SocketAddress closed{.ip = relay_v4.ip, .port = {3478}};
    CHECK(shards.alice.bind(0x4000, closed) == 403);
    CHECK(shards.alice.permit(closed) == 0);  // ports are not named by permissions
    shards.alice.send_indication(closed, "x");
    CHECK(shards.first.at_peers.empty());
    CHECK(shards.first.server.dropped(DropReason::PeerRefused) == 1);
    // The host's private address is an address like any other private one.
    CHECK(shards.alice.permit(address("10.0.0.5:49152")) == 403);
    // A relay that has ended is no peer any more, though a channel to it is still bound.
    const SocketAddress at_bob = shards.open_second();
    REQUIRE(shards.alice.bind(0x4000, at_bob) == 0);
    REQUIRE(shards.bob.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    CHECK_FALSE(shards.directory.contains(at_bob, RelayProtocol::Udp));
    shards.alice.send_on(0x4000, "x");
    CHECK(shards.first.at_peers.empty());
    CHECK(shards.first.server.dropped(DropReason::UnknownRelay) == 1);
}

TEST_CASE("turn server, shards: TCP relays of two shards meet as well") {
    Shards shards;
    const auto ask_tcp = [](Builder& b) { b.add(stun::RequestedTransport{6}); };
    shards.alice.flow.transport = ClientTransport::Tcp;
    shards.bob.flow.transport = ClientTransport::Tcp;
    REQUIRE(shards.alice.code(Method::Allocate, ask_tcp) == 0);
    shards.second.next_port = 50000;
    REQUIRE(shards.bob.code(Method::Allocate, ask_tcp) == 0);
    const SocketAddress at_bob{.ip = relay_v4.ip, .port = {50000}};
    CHECK(shards.alice.code(Method::Connect,
                            [&](Builder& b) { b.add(stun::XorPeerAddress{at_bob}); }) == 0);
    CHECK(shards.first.all<ConnectionWanted>()[0].peer == address("10.0.0.5:50000"));
    REQUIRE(shards.bob.permit(relay_v4) == 0);
    CHECK(shards.second.server.handle_peer_accepted(start, shards.second.wanted[0].relay,
                                                    address("10.0.0.5:49152")));
}

TEST_CASE("turn server: reservations name their shard") {
    auto config = server_config();
    config.shard = 200;
    World world{config};
    RawClient raw{world};
    const auto answer = raw.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::EvenPort{stun::EvenPort::Next::Reserve});
    });
    Builder next{stun::Class::Request, Method::Allocate, {}};
    next.add(answer.get<stun::ReservationToken>().value());
    CHECK(Server::shard_of_request(next.finish()) == std::uint8_t{200});
}

TEST_CASE("turn server: another configuration takes effect without losing an allocation") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.permit(peer_address) == 0);
    auto config = server_config();
    config.relays_per_user = 1;
    config.ipv6 = Offer::Offered;
    REQUIRE(config.peers.deny({.address = ip("9.9.9.9"), .length = 32}));
    config.authentication.nonce_key[0] = std::byte{55};
    world.server.reconfigure(config);
    CHECK(raw.code(Method::Refresh, [](Builder&) {}) == 0);
    CHECK(raw.permit(other_peer) == 403);
    RawClient again{world};
    again.flow.remote = address("198.51.100.10:1");
    CHECK(again.allocate() == 486);
    RelayDirectory directory{{{.local = relay_v4.ip, .external = relay_v4.ip}}};
    config.directory = &directory;
    world.server.reconfigure(config);
    CHECK(directory.contains(relay_v4, RelayProtocol::Udp));
    // Another realm has other users.
    config.authentication.realm = "other.example";
    world.server.reconfigure(config);
    CHECK(raw.code(Method::Refresh, [](Builder&) {}) == 401);
    REQUIRE(world.server.credentials().set_account("alice", "secret"));
    CHECK(raw.code(Method::Refresh, [](Builder&) {}) == 0);
}

}  // namespace
}  // namespace stile::turn::test
