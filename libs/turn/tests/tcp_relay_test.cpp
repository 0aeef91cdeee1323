// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// TCP relays, RFC 6062 Section 5.
#include "world.hpp"

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

ServerConfig tcp_config() {
    auto config = server_config();
    config.tcp_relays = Offer::Offered;
    return config;
}

void ask_tcp(Builder& builder) {
    builder.add(stun::RequestedTransport{stun::RequestedTransport::tcp});
}

// A client over TCP, with an allocation of TCP.
struct TcpClient {
    explicit TcpClient(World& world, std::string user = "alice", std::string password = "secret",
                       std::string_view from = "198.51.100.9:40000")
        : world_(world), raw(world, user, password, from), user_(user), password_(password) {
        raw.flow.transport = ClientTransport::Tcp;
    }
    unsigned allocate() { return raw.code(Method::Allocate, ask_tcp); }
    stun::MessageView connect(const SocketAddress& peer) {
        return raw.ask(Method::Connect,
                       [&](Builder& builder) { builder.add(stun::XorPeerAddress{peer}); });
    }
    ConnectionId connected(const SocketAddress& peer) {
        const auto answer = connect(peer);
        REQUIRE(RawClient::code_of(answer) == 0);
        return {answer.get<stun::ConnectionId>().value().value};
    }
    // On a connection of its own.
    unsigned bind(ConnectionId id, std::string_view from = "198.51.100.9:40001",
                  ClientTransport transport = ClientTransport::Tcp) {
        RawClient data{world_, user_, password_, from};
        data.flow.transport = transport;
        return data.code(Method::ConnectionBind,
                         [&](Builder& builder) { builder.add(stun::ConnectionId{id.value}); });
    }
    RelayId relay() const { return world_.wanted.back().relay; }

    World& world_;
    RawClient raw;
    std::string user_;
    std::string password_;
};

TEST_CASE("turn server, TCP: an allocation wants a listening socket, and says where it is") {
    World world{tcp_config()};
    TcpClient client{world};
    const auto answer = client.raw.ask(Method::Allocate, ask_tcp);
    CHECK(answer.get<stun::XorRelayedAddress>().value().address == relay_v4);
    CHECK_FALSE(answer.has(stun::AttributeType::ReservationToken));
    REQUIRE(world.wanted.size() == 1);
    CHECK(world.wanted[0].protocol == RelayProtocol::Tcp);
}

TEST_CASE("turn server, TCP: what Allocate requests are refused with, RFC 6062 Section 5.1") {
    struct Case {
        const char* what;
        ClientTransport transport;
        unsigned code;
        void (*fill)(Builder&);
    };
    const Case cases[] = {
        {"over UDP", ClientTransport::Udp, 400, ask_tcp},
        {"over DTLS", ClientTransport::Dtls, 400, ask_tcp},
        {"over TLS", ClientTransport::Tls, 0, ask_tcp},
        {"DONT-FRAGMENT", ClientTransport::Tcp, 400,
         [](Builder& b) { b.add(stun::RequestedTransport{6}).add(stun::DontFragment{}); }},
        {"EVEN-PORT", ClientTransport::Tcp, 400,
         [](Builder& b) { b.add(stun::RequestedTransport{6}).add(stun::EvenPort{}); }},
        {"RESERVATION-TOKEN", ClientTransport::Tcp, 400,
         [](Builder& b) { b.add(stun::RequestedTransport{6}).add(stun::ReservationToken{}); }},
        {"SCTP", ClientTransport::Tcp, 442,
         [](Builder& b) { b.add(stun::RequestedTransport{132}); }},
    };
    for (const Case& each : cases) {
        CAPTURE(each.what);
        World world{tcp_config()};
        RawClient raw{world};
        raw.flow.transport = each.transport;
        CHECK(raw.code(Method::Allocate, each.fill) == each.code);
    }
    World without{server_config()};
    TcpClient client{without};
    CHECK(client.allocate() == 442);
}

TEST_CASE("turn server, TCP: connect, bind, and the octets are the driver's") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    const ConnectionId id = client.connected(peer_address);
    const auto wanted = world.all<ConnectionWanted>();
    REQUIRE(wanted.size() == 1);
    CHECK(wanted[0].connection == id);
    CHECK(wanted[0].relay == client.relay());
    CHECK(wanted[0].peer == peer_address);
    CHECK(client.bind(id) == 0);
    const auto joined = world.all<ConnectionJoined>();
    REQUIRE(joined.size() == 1);
    CHECK(joined[0].connection == id);
    CHECK(joined[0].data_flow.remote == address("198.51.100.9:40001"));
    // A joined connection lives as long as the allocation, and is bound once.
    CHECK(client.bind(id, "198.51.100.9:40002") == 400);
    world.advance(599s);
    CHECK(world.all<ConnectionClosed>().empty());
    world.advance(1s);
    CHECK(world.server.allocations() == 0);
    REQUIRE(world.all<ConnectionClosed>().size() == 1);
    CHECK(world.all<ConnectionClosed>()[0].connection == id);
}

TEST_CASE("turn server, TCP: 446 while a connection to the peer is wanted, pending or joined") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    world.peers = World::Peers::Ignore;
    // No answer comes before the peer's, so this one is written by hand.
    const auto opening = [&] {
        world.peers = World::Peers::Refuse;
        REQUIRE(RawClient::code_of(client.connect(other_peer)) == 447);
        world.peers = World::Peers::Answer;
    };
    opening();
    const ConnectionId id = client.connected(peer_address);
    CHECK(RawClient::code_of(client.connect(peer_address)) == 446);
    REQUIRE(client.bind(id) == 0);
    CHECK(RawClient::code_of(client.connect(peer_address)) == 446);
    // Another port of the same peer is another connection.
    CHECK(RawClient::code_of(client.connect(address("8.8.8.8:9001"))) == 0);
    world.server.handle_connection_gone(world.now, id);
    CHECK(RawClient::code_of(client.connect(peer_address)) == 0);
    CHECK(world.all<ConnectionClosed>().empty());
}

TEST_CASE("turn server, TCP: 447 where the peer refuses, and after 30 seconds of silence") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    world.peers = World::Peers::Refuse;
    CHECK(RawClient::code_of(client.connect(peer_address)) == 447);
    world.peers = World::Peers::Ignore;
    const Instant asked = world.now;
    stun::LongTermClient credentials{{.username = "alice", .password = "secret"}};
    Builder first{stun::Class::Request, Method::Connect, {{std::byte{1}}}};
    first.add(stun::XorPeerAddress{peer_address});
    const Bytes bare = first.finish();
    const auto challenge = client.raw.send(bare);
    REQUIRE(challenge);
    (void)credentials.handle_response(*stun::MessageView::parse(bare), *challenge);
    Builder second{stun::Class::Request, Method::Connect, {{std::byte{2}}}};
    second.add(stun::XorPeerAddress{peer_address});
    credentials.authenticate(second);
    CHECK_FALSE(client.raw.send(second.finish()));
    CHECK(world.server.poll_timeout() == asked + connect_time);
    CHECK(RawClient::code_of(client.connect(peer_address)) == 446);
    world.now = asked + connect_time;
    world.server.handle_timeout(world.now);
    const auto answer = world.server.poll_transmit();
    REQUIRE(answer);
    CHECK(RawClient::code_of(*stun::MessageView::parse(answer->message)) == 447);
    world.run_events();
    REQUIRE(world.all<ConnectionClosed>().size() == 1);
    const ConnectionId late = world.all<ConnectionWanted>().back().connection;
    world.server.handle_connection_opened(world.now, late);
    CHECK_FALSE(world.server.poll_transmit());
}

TEST_CASE("turn server, TCP: without ConnectionBind a connection is closed after 30 seconds") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    const ConnectionId asked = client.connected(peer_address);
    REQUIRE(client.raw.permit(other_peer) == 0);
    const auto accepted = world.server.handle_peer_accepted(world.now, client.relay(), other_peer);
    REQUIRE(accepted);
    world.advance(connection_bind_time - 1ms);
    CHECK(world.all<ConnectionClosed>().empty());
    world.advance(1ms);
    CHECK(world.all<ConnectionClosed>().size() == 2);
    CHECK(client.bind(asked) == 400);
    CHECK(client.bind(*accepted) == 400);
}

TEST_CASE("turn server, TCP: a peer is accepted with a permission and told of") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    CHECK_FALSE(world.server.handle_peer_accepted(world.now, client.relay(), peer_address));
    CHECK(world.server.dropped(DropReason::NoPermission) == 1);
    REQUIRE(client.raw.permit(peer_address) == 0);
    const auto id = world.server.handle_peer_accepted(world.now, client.relay(), peer_address);
    REQUIRE(id);
    const auto transmit = world.server.poll_transmit();
    REQUIRE(transmit);
    CHECK(transmit->flow == client.raw.flow);
    const auto told = stun::MessageView::parse(transmit->message);
    CHECK(told->message_class() == stun::Class::Indication);
    CHECK(told->method() == Method::ConnectionAttempt);
    CHECK(told->get<stun::ConnectionId>().value().value == id->value);
    CHECK(told->get<stun::XorPeerAddress>().value().address == peer_address);
    CHECK(client.bind(*id) == 0);
    world.advance(permission_lifetime);
    CHECK_FALSE(world.server.handle_peer_accepted(world.now, client.relay(), peer_address));
}

TEST_CASE("turn server, TCP: a policy that has changed refuses at the accepted peer, too") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.permit(peer_address) == 0);
    PeerPolicy policy;
    REQUIRE(policy.deny({.address = peer_address.ip, .length = 32}));
    world.server.set_peer_policy(policy);
    CHECK_FALSE(world.server.handle_peer_accepted(world.now, client.relay(), peer_address));
    CHECK(world.server.dropped(DropReason::PeerRefused) == 1);
    CHECK(RawClient::code_of(client.connect(peer_address)) == 403);
}

TEST_CASE("turn server, TCP: what Connect is refused with, RFC 6062 Section 5.2") {
    World world{tcp_config()};
    TcpClient client{world};
    CHECK(RawClient::code_of(client.connect(peer_address)) == 437);
    REQUIRE(client.allocate() == 0);
    CHECK(RawClient::code_of(client.raw.ask(Method::Connect)) == 400);
    CHECK(RawClient::code_of(client.connect(address("10.0.0.1:80"))) == 403);
    CHECK(RawClient::code_of(client.connect(address("8.8.8.8:0"))) == 403);
    CHECK(RawClient::code_of(client.connect(address("[2a00::5]:80"))) == 443);
    TcpClient udp{world, "bob", "hidden", "198.51.100.10:1"};
    REQUIRE(udp.raw.allocate() == 0);
    CHECK(RawClient::code_of(udp.connect(peer_address)) == 437);
}

TEST_CASE("turn server, TCP: what ConnectionBind is refused with, RFC 6062 Section 5.4") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    const ConnectionId id = client.connected(peer_address);
    CHECK(client.bind(id, "198.51.100.9:40001", ClientTransport::Udp) == 400);
    CHECK(client.bind(id, "198.51.100.9:40001", ClientTransport::Dtls) == 400);
    CHECK(client.bind({id.value + 1}) == 400);
    CHECK(client.raw.code(Method::ConnectionBind, [&](Builder& b) {
        b.add(stun::ConnectionId{id.value});
    }) == 400);  // the control connection itself
    CHECK(client.raw.code(Method::ConnectionBind, [](Builder&) {}) == 400);
    TcpClient bob{world, "bob", "hidden", "198.51.100.10:1"};
    CHECK(bob.bind(id, "198.51.100.10:2") == 441);
    CHECK(client.bind(id, "198.51.100.9:40001", ClientTransport::Tls) == 0);
}

TEST_CASE("turn server, TCP: no channels, no Send and no datagrams on a TCP relay") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    CHECK(client.raw.bind(0x4000, peer_address) == 400);
    REQUIRE(client.raw.permit(peer_address) == 0);
    Builder send{stun::Class::Indication, Method::Send, {}};
    send.add(stun::XorPeerAddress{peer_address}).add(stun::Data{as_bytes("x")});
    CHECK_FALSE(client.raw.send(send.finish()));
    CHECK(world.at_peers.empty());
    CHECK_FALSE(world.server.handle_peer(world.now, client.relay(), peer_address, as_bytes("x")));
}

TEST_CASE("turn server, TCP: as many connections as the limit, and 508 past it") {
    auto config = tcp_config();
    config.connections = 3;
    World world{config};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.permit(other_peer) == 0);
    for (std::uint16_t i = 0; i < 4; ++i) {
        CAPTURE(i);
        const SocketAddress peer{.ip = peer_address.ip, .port = {static_cast<uint16_t>(100 + i)}};
        CHECK(RawClient::code_of(client.connect(peer)) == (i < 3 ? 0 : 508));
    }
    CHECK_FALSE(world.server.handle_peer_accepted(world.now, client.relay(), other_peer));
}

TEST_CASE("turn server, TCP: connections that a user asks for in a minute") {
    auto config = tcp_config();
    config.user_connects = 6;
    World world{config};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    world.peers = World::Peers::Refuse;
    const auto connect = [&] { return RawClient::code_of(client.connect(peer_address)); };
    for (int i = 0; i < 6; ++i) CHECK(connect() == 447);
    CHECK(connect() == 508);
    world.now += 10s;
    CHECK(connect() == 447);
    CHECK(connect() == 508);
}

TEST_CASE("turn server, TCP: the end of the control connection ends everything") {
    World world{tcp_config()};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.bind(client.connected(peer_address)) == 0);
    (void)client.connected(other_peer);
    world.server.handle_client_gone(world.now, client.raw.flow);
    world.run_events();
    CHECK(world.all<ConnectionClosed>().size() == 2);
    CHECK(world.open.empty());
    CHECK_FALSE(world.server.poll_timeout());
}

TEST_CASE("turn server, TCP: two users reach each other through their relays") {
    World world{tcp_config()};
    TcpClient alice{world};
    TcpClient bob{world, "bob", "hidden", "198.51.100.10:1"};
    REQUIRE(alice.allocate() == 0);
    const SocketAddress at_alice = world.open.at(alice.relay());
    REQUIRE(bob.allocate() == 0);
    const RelayId bobs = bob.relay();
    const SocketAddress at_bob = world.open.at(bobs);
    CHECK(RawClient::code_of(alice.connect({.ip = at_bob.ip, .port = {1}})) == 403);
    CHECK(RawClient::code_of(alice.connect(at_bob)) == 0);
    CHECK_FALSE(world.server.handle_peer_accepted(world.now, bobs, at_alice));
    REQUIRE(bob.raw.permit(at_alice) == 0);
    CHECK(world.server.handle_peer_accepted(world.now, bobs, at_alice));
}

TEST_CASE("turn server, TCP: spliced octets are counted, and pause who is over the rate") {
    auto config = tcp_config();
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 2000};
    World world{config};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    const ConnectionId id = client.connected(peer_address);
    REQUIRE(client.bind(id) == 0);
    using Budget = Server::Budget;
    const Traffic some{.octets_to_peers = 900, .octets_to_clients = 100};
    CHECK(world.server.handle_spliced(world.now, id, some) == Budget::Within);
    CHECK(world.server.handle_spliced(world.now, id, some) == Budget::Spent);
    CHECK(world.server.handle_spliced(world.now, id, some) == Budget::Spent);
    // What was carried too much is owed first.
    world.now += 1s;
    CHECK(world.server.handle_spliced(world.now, id, {}) == Budget::Spent);
    world.now += 1ms;
    CHECK(world.server.handle_spliced(world.now, id, {}) == Budget::Within);
    CHECK(world.server.counters().octets_to_peers == 2700);
    CHECK(world.server.counters().octets_to_clients == 300);
    const auto sessions = world.server.sessions(world.now);
    REQUIRE(sessions.size() == 1);
    CHECK(sessions[0].traffic.octets_to_peers == 2700);
    CHECK(sessions[0].connections == 1);
    CHECK(sessions[0].protocol == RelayProtocol::Tcp);
}

TEST_CASE("turn server, TCP: a data connection finds the shard that knows it") {
    auto config = tcp_config();
    config.shard = 7;
    World world{config};
    TcpClient client{world};
    REQUIRE(client.allocate() == 0);
    const ConnectionId id = client.connected(peer_address);
    Builder bind{stun::Class::Request, Method::ConnectionBind, {}};
    bind.add(stun::ConnectionId{id.value});
    CHECK(Server::shard_of_request(bind.finish()) == std::uint8_t{7});
    Builder other{stun::Class::Request, Method::Connect, {}};
    CHECK_FALSE(Server::shard_of_request(other.finish()));
    CHECK_FALSE(Server::shard_of_request(as_bytes("junk")));
}

}  // namespace
}  // namespace stile::turn::test
