// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// A server that continues what another had.
#include "world.hpp"

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

ServerConfig full_config() {
    auto config = server_config();
    config.ipv6 = Offer::Offered;
    config.tcp_relays = Offer::Offered;
    config.mobility = Offer::Offered;
    config.offload = Offer::Offered;
    return config;
}

// The world with the same sockets and another server behind them.
void restart(World& world, const ServerConfig& config) {
    const Snapshot snapshot = world.server.snapshot(world.now);
    const auto carried = parse_snapshot(serialize(snapshot));
    REQUIRE(carried);
    REQUIRE(*carried == snapshot);
    Server next{world.now, wall_start + std::chrono::floor<std::chrono::seconds>(world.now - start),
                config, crypto::RandomStream{crypto::seed_from_number(77)}};
    REQUIRE(next.credentials().set_account("alice", "secret"));
    REQUIRE(next.credentials().set_account("bob", "hidden"));
    CHECK(next.restore(world.now, *carried) == snapshot.allocations.size());
    CHECK(next.snapshot(world.now) == snapshot);
    world.server = std::move(next);
    world.told.clear();
    world.run_events();
}

TEST_CASE("turn server, restart: the next server relays, refreshes and expires as the first") {
    World world{full_config()};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    REQUIRE(raw.permit(other_peer) == 0);
    raw.send_on(0x4000, "before");
    world.now += 100s;
    restart(world, full_config());
    CHECK(world.all<ChannelOpened>().size() == 1);

    raw.send_on(0x4000, "after");
    raw.send_indication(other_peer, "too");
    world.from_peer(peer_address, relay_v4, "12345");
    CHECK(world.last_to_client.size() == 9);
    REQUIRE(world.at_peers.size() == 3);
    CHECK(world.at_peers[1].path.local == relay_v4);
    CHECK(world.at_peers[1].path.remote == peer_address);
    const auto session = world.server.sessions(world.now).at(0);
    CHECK(session.started == start);
    CHECK(session.traffic.octets_to_peers == 14);
    CHECK(session.traffic.octets_to_clients == 5);
    // The permission ends when it would have ended.
    world.now = start + 300s;
    raw.send_indication(other_peer, "late");
    CHECK(world.at_peers.size() == 3);
    CHECK(world.server.poll_timeout() == start + 600s);
    world.advance(299s);
    CHECK(world.server.allocations() == 1);
    REQUIRE(raw.code(Method::Refresh, [](Builder&) {}) == 0);
    world.advance(600s);
    CHECK(world.server.allocations() == 0);
    CHECK(world.closed.size() == 1);
    REQUIRE(raw.allocate() == 0);
}

TEST_CASE("turn server, restart: dual allocations, reservations, moves and TCP connections") {
    World world{full_config()};
    RawClient dual{world};
    REQUIRE(dual.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{});
        b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
    }) == 0);
    RawClient reserving{world, "alice", "secret", "198.51.100.10:1"};
    const auto reserved = reserving.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::EvenPort{stun::EvenPort::Next::Reserve});
    });
    const auto token = reserved.get<stun::ReservationToken>().value();
    RawClient mobile{world, "alice", "secret", "198.51.100.11:1"};
    const auto given = mobile.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::MobilityTicket{});
    });
    Bytes ticket = to_bytes(given.get<stun::MobilityTicket>().value().octets);
    RawClient tcp{world, "bob", "hidden", "198.51.100.12:1"};
    tcp.flow.transport = ClientTransport::Tcp;
    REQUIRE(tcp.code(Method::Allocate, [](Builder& b) { b.add(stun::RequestedTransport{6}); }) ==
            0);
    const RelayId tcp_relay = world.wanted.back().relay;
    const auto connected =
        tcp.ask(Method::Connect, [](Builder& b) { b.add(stun::XorPeerAddress{peer_address}); });
    const auto connection = connected.get<stun::ConnectionId>().value();
    // Something that has gone leaves a hole that must not confuse the places of the others.
    RawClient gone{world, "bob", "hidden", "198.51.100.13:1"};
    REQUIRE(gone.allocate() == 0);
    RawClient last{world, "bob", "hidden", "198.51.100.14:1"};
    REQUIRE(last.allocate() == 0);
    REQUIRE(gone.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    const std::size_t relays = world.server.relays();

    world.now += 10s;
    restart(world, full_config());
    CHECK(world.server.relays() == relays);
    CHECK(world.server.allocations() == 5);
    CHECK(dual.code(Method::Refresh, [](Builder& b) {
        b.add(stun::RequestedAddressFamily{AddressFamily::V6});
    }) == 0);
    mobile.flow.remote = address("203.0.113.5:5");
    CHECK(mobile.code(Method::Refresh, [&](Builder& b) { b.add(stun::MobilityTicket{ticket}); }) ==
          0);
    RawClient data{world, "bob", "hidden", "198.51.100.12:2"};
    data.flow.transport = ClientTransport::Tcp;
    CHECK(data.code(Method::ConnectionBind, [&](Builder& b) { b.add(connection); }) == 0);
    CHECK(world.all<ConnectionJoined>().size() == 1);
    REQUIRE(tcp.permit(other_peer) == 0);
    CHECK(world.server.handle_peer_accepted(world.now, tcp_relay, other_peer));
    // A new relay gets a place of its own, and the quota knows the old ones.
    RawClient fresh{world, "bob", "hidden", "198.51.100.15:1"};
    CHECK(fresh.allocate() == 0);
    RawClient second{world, "alice", "secret", "198.51.100.16:1"};
    CHECK(second.code(Method::Allocate,
                      [&](Builder& b) { b.add(stun::RequestedTransport{}).add(token); }) == 0);
    restart(world, full_config());
    world.advance(3600s);
    CHECK(world.server.relays() == 0);
    CHECK(world.open.empty());
}

TEST_CASE("turn server, restart: a connection goes with the relay that was not taken over") {
    World world{full_config()};
    RawClient tcp{world, "bob", "hidden", "198.51.100.12:1"};
    tcp.flow.transport = ClientTransport::Tcp;
    REQUIRE(tcp.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{6}).add(stun::AdditionalAddressFamily{AddressFamily::V6});
    }) == 0);
    const auto connected =
        tcp.ask(Method::Connect, [](Builder& b) { b.add(stun::XorPeerAddress{peer_address}); });
    REQUIRE(RawClient::code_of(connected) == 0);
    Snapshot snapshot = world.server.snapshot(world.now);
    auto& copy = snapshot.allocations.at(0);
    REQUIRE(copy.relays.size() == 2);
    REQUIRE(copy.connections.size() == 1);
    std::erase_if(copy.relays, [&](const Snapshot::Relay& each) {
        return each.id == copy.connections[0].relay;
    });
    Server next{world.now, wall_start, full_config(),
                crypto::RandomStream{crypto::seed_from_number(4)}};
    REQUIRE(next.restore(world.now, snapshot) == 1);
    CHECK(next.sessions(world.now).at(0).connections == 0);
    next.handle_timeout(world.now + 3600s);
    CHECK(next.allocations() == 0);
}

TEST_CASE("turn server, restart: who left its connection is found again beside who came after it") {
    World world{full_config()};
    RawClient mobile{world};
    mobile.flow.transport = ClientTransport::Tcp;
    const auto given = mobile.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::MobilityTicket{});
    });
    const Bytes ticket = to_bytes(given.get<stun::MobilityTicket>().value().octets);
    REQUIRE(mobile.permit(peer_address) == 0);
    world.server.handle_client_gone(world.now, mobile.flow);
    world.run_events();
    RawClient other{world, "bob", "hidden", mobile.flow.remote.to_string()};
    other.flow.transport = ClientTransport::Tcp;
    REQUIRE(other.allocate() == 0);

    restart(world, full_config());
    CHECK(world.server.allocations() == 2);
    // What comes for the one does not reach the other.
    const auto arrived = world.server.handle_peer(world.now, world.wanted.front().relay,
                                                  peer_address, as_bytes("x"));
    CHECK((!arrived || arrived->flow != other.flow));
    REQUIRE(other.permit(peer_address) == 0);
    mobile.flow.remote = address("203.0.113.5:5");
    CHECK(mobile.code(Method::Refresh, [&](Builder& b) { b.add(stun::MobilityTicket{ticket}); }) ==
          0);
}

TEST_CASE("turn server, restart: what was handed over is forgotten without a word") {
    World world{full_config()};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    RawClient stays{world, "bob", "hidden", "198.51.100.10:1"};
    stays.flow.transport = ClientTransport::Tls;
    REQUIRE(stays.allocate() == 0);
    world.told.clear();
    world.server.forget(raw.flow);
    world.run_events();
    CHECK(world.told.empty());
    CHECK(world.closed.empty());
    CHECK(world.server.allocations() == 1);
    CHECK(world.server.relays() == 1);
    raw.send_on(0x4000, "x");
    CHECK(world.at_peers.empty());
    world.server.forget(raw.flow);
    CHECK(stays.code(Method::Refresh, [](Builder&) {}) == 0);
}

TEST_CASE("turn server, restart: a snapshot that is cut or changed is no snapshot, or is bounded") {
    World world{full_config()};
    RawClient raw{world};
    REQUIRE(raw.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::MobilityTicket{});
        b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
    }) == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    const Bytes whole = serialize(world.server.snapshot(world.now));
    REQUIRE(parse_snapshot(whole));
    for (std::size_t i = 0; i < whole.size(); ++i) {
        CAPTURE(i);
        CHECK_FALSE(parse_snapshot(BytesView{whole}.first(i)));
        Bytes changed = whole;
        changed[i] ^= std::byte{0xFF};
        const auto parsed = parse_snapshot(changed);
        if (!parsed) continue;
        Server next{world.now, wall_start, full_config(),
                    crypto::RandomStream{crypto::seed_from_number(1)}};
        CHECK(next.restore(world.now, *parsed) <= parsed->allocations.size());
        next.handle_timeout(world.now + 3600s);
    }
}

}  // namespace
}  // namespace stile::turn::test
