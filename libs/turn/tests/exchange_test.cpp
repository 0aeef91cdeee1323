// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The client against the server.
#include "world.hpp"

namespace stile::turn::test {
namespace {

TEST_CASE("turn: a client allocates, permits, binds and exchanges data both ways") {
    World world;
    ClientEnd& end = world.add_client();
    const auto& allocated = end.last<Client::Allocated>();
    REQUIRE(allocated.relayed.size() == 1);
    CHECK(allocated.relayed[0] == relay_v4);
    CHECK(allocated.mapped == end.flow.remote);
    CHECK(allocated.lifetime == 600s);

    CHECK(end.client.permit(world.now, peer_address.ip) == Client::Accepted::Yes);
    world.run();
    CHECK(end.last<Client::PermissionInstalled>().peer == peer_address.ip);
    CHECK(end.client.send(world.now, peer_address, as_bytes("by indication")) ==
          Client::Sent::Queued);
    world.run();
    REQUIRE(world.at_peers.size() == 1);
    CHECK(world.at_peers[0].path == Path{.local = relay_v4, .remote = peer_address});
    CHECK(world.at_peers[0].payload == "by indication");

    world.from_peer(peer_address, relay_v4, "back");
    REQUIRE(end.received.size() == 1);
    CHECK(end.received[0] == std::pair{peer_address, std::string{"back"}});
    CHECK_FALSE(looks_like_channel_data(world.last_to_client));

    CHECK(end.client.bind_channel(world.now, peer_address) == Client::Accepted::Yes);
    world.run();
    CHECK(end.last<Client::ChannelBound>().channel == ChannelNumber{0x4000});
    CHECK(end.client.channel_of(world.now, peer_address) == ChannelNumber{0x4000});
    CHECK(end.client.send(world.now, peer_address, as_bytes("by channel")) == Client::Sent::Queued);
    world.run();
    REQUIRE(world.at_peers.size() == 2);
    CHECK(world.at_peers[1].payload == "by channel");
    world.from_peer(peer_address, relay_v4, "again");
    CHECK(looks_like_channel_data(world.last_to_client));
    CHECK(end.received.back().second == "again");
}

TEST_CASE("turn: payload of every small size and of the largest passes unchanged, both ways") {
    World world;
    ClientEnd& end = world.add_client();
    for (const bool channel : {false, true}) {
        end.client.permit(world.now, peer_address.ip);
        if (channel) end.client.bind_channel(world.now, peer_address);
        world.run();
        for (const std::size_t size :
             {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4},
              std::size_t{5}, std::size_t{1200}, std::size_t{65400}}) {
            CAPTURE(size);
            const std::string text(size, 'x');
            REQUIRE(end.client.send(world.now, peer_address, as_bytes(text)) ==
                    Client::Sent::Queued);
            world.run();
            CHECK(world.at_peers.back().payload == text);
            world.from_peer(peer_address, relay_v4, text);
            CHECK(end.received.back().second == text);
        }
        const std::string large(most_payload_octets + 1, 'x');
        CHECK(end.client.send(world.now, peer_address, as_bytes(large)) == Client::Sent::TooLarge);
        const auto before = end.received.size();
        world.from_peer(peer_address, relay_v4, large);
        CHECK(end.received.size() == before);
    }
    CHECK(world.server.dropped(DropReason::TooLarge) == 2);
}

TEST_CASE("turn: over a stream ChannelData is padded to four octets") {
    World world;
    auto config = client_config();
    config.transport = ClientTransport::Tcp;
    ClientEnd& end = world.add_client(config);
    end.client.bind_channel(world.now, peer_address);
    world.run();
    world.from_peer(peer_address, relay_v4, "12345");
    CHECK(world.last_to_client.size() == 12);
    CHECK(end.received.back().second == "12345");
    end.client.send(world.now, peer_address, as_bytes("abc"));
    const auto sent = end.client.poll_transmit();
    REQUIRE(sent);
    CHECK(sent->size() == 8);
}

TEST_CASE("turn: nothing passes without a permission, in either direction") {
    World world;
    ClientEnd& end = world.add_client();
    CHECK(end.client.send(world.now, peer_address, as_bytes("x")) == Client::Sent::NotPermitted);
    world.from_peer(peer_address, relay_v4, "x");
    CHECK(end.received.empty());
    end.client.permit(world.now, peer_address.ip);
    world.run();
    world.from_peer(other_peer, relay_v4, "x");
    CHECK(end.received.empty());
    CHECK(world.server.dropped(DropReason::NoPermission) == 2);
    // Any port of the permitted address will do. RFC 8656 Section 9.
    world.from_peer({.ip = peer_address.ip, .port = {1}}, relay_v4, "x");
    CHECK(end.received.size() == 1);
}

TEST_CASE(
    "turn: allocation, permissions and channels outlive every lifetime while the client runs") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.permit(world.now, other_peer.ip);
    end.client.bind_channel(world.now, peer_address);
    world.run();
    for (int hour = 0; hour < 30; ++hour) {
        world.advance(607s);
        world.from_peer(peer_address, relay_v4, "still here");
        world.from_peer(other_peer, relay_v4, "me too");
        CHECK(end.client.send(world.now, peer_address, as_bytes("x")) == Client::Sent::Queued);
        world.run();
    }
    CHECK(end.received.size() == 60);
    CHECK(world.at_peers.size() == 30);
    CHECK(end.count<Client::Expired>() == 0);
    CHECK(end.count<Client::RefreshFailed>() == 0);
    CHECK(end.count<Client::PermissionInstalled>() == 1);
    CHECK(end.count<Client::ChannelBound>() == 1);
    CHECK(world.server.allocations() == 1);
}

TEST_CASE("turn: without refreshes the permission ends after 300 s and the channel after 600 s") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.bind_channel(world.now, peer_address);
    world.run();
    const Instant bound = world.now;
    const auto into = [&] {
        const auto before = world.at_peers.size();
        const auto header = channel_header({0x4000}, 0);
        world.relay(world.server.handle_client(world.now, end.flow, header));
        return world.at_peers.size() - before;
    };
    const auto out = [&] {
        const auto before = world.server.counters().packets_to_clients;
        (void)world.server.handle_peer(world.now, world.id_of(relay_v4), peer_address, {});
        return world.server.counters().packets_to_clients - before;
    };
    world.now = bound + 300s - 1ns;
    CHECK(out() == 1);
    world.now = bound + 300s;
    CHECK(out() == 0);
    world.now = bound + 600s - 1ns;
    CHECK(into() == 1);
    world.now = bound + 600s;
    CHECK(into() == 0);
}

TEST_CASE("turn: an allocation that nobody refreshes expires to the nanosecond") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    CHECK(world.server.poll_timeout() == start + 600s);
    world.server.handle_timeout(start + 600s - 1ns);
    CHECK(world.server.allocations() == 1);
    world.now = start + 600s;
    world.wake();
    CHECK(world.server.allocations() == 0);
    CHECK(world.server.relays() == 0);
    CHECK(world.closed.size() == 1);
    CHECK_FALSE(world.server.poll_timeout());
}

TEST_CASE("turn: a client that slept past everything says so once, and sends no burst") {
    World world;
    ClientEnd& end = world.add_client();
    for (int i = 1; i <= 20; ++i) {
        end.client.permit(world.now, IpAddress::v4(0x08080800U + static_cast<unsigned>(i)));
    }
    world.run();
    CHECK(end.count<Client::PermissionInstalled>() == 20);
    const auto before = world.requests;
    world.now += 24h;
    world.wake();
    CHECK(end.count<Client::Expired>() == 1);
    CHECK(world.requests == before);
    CHECK_FALSE(end.client.poll_timeout());
    CHECK(end.client.permit(world.now, peer_address.ip) == Client::Accepted::Ended);
    CHECK(world.server.allocations() == 0);
}

TEST_CASE("turn: a late wake-up refreshes each thing once") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.permit(world.now, other_peer.ip);
    end.client.bind_channel(world.now, peer_address);
    world.run();
    const auto before = world.requests;
    world.now += 450s;
    world.wake();
    CHECK(world.requests == before + 3);
    CHECK(end.count<Client::Expired>() == 0);
}

TEST_CASE("turn: releasing deletes the allocation at once") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.release(world.now);
    world.run();
    CHECK(end.count<Client::Released>() == 1);
    CHECK(world.server.allocations() == 0);
    CHECK(world.closed.size() == 1);
    CHECK_FALSE(end.client.poll_timeout());
}

TEST_CASE("turn: a client released before the answer came deletes what was made") {
    World world;
    world.driver = World::Driver::Ignores;
    ClientEnd& end = world.add_client();
    end.client.release(world.now);
    REQUIRE(world.wanted.size() == 1);
    world.open[world.wanted[0].relay] = relay_v4;
    world.server.handle_relay_opened(world.now, world.wanted[0].relay, relay_v4);
    world.run();
    CHECK(end.count<Client::Released>() == 1);
    CHECK(end.count<Client::Allocated>() == 0);
    CHECK(world.server.allocations() == 0);
}

TEST_CASE("turn: two clients reach each other through their relays, without a socket") {
    World world;
    ClientEnd& left = world.add_client();
    auto config = client_config();
    config.username = "bob";
    config.password = "hidden";
    ClientEnd& right = world.add_client(config, "198.51.100.8:1");
    const SocketAddress left_relay = left.client.relayed().at(0);
    const SocketAddress right_relay = right.client.relayed().at(0);
    left.client.permit(world.now, right_relay.ip);
    world.run();
    CHECK(left.client.send(world.now, right_relay, as_bytes("hello")) == Client::Sent::Queued);
    world.run();
    CHECK(right.received.empty());  // the other side has not permitted it

    right.client.bind_channel(world.now, left_relay);
    world.run();
    CHECK(left.client.send(world.now, right_relay, as_bytes("hello")) == Client::Sent::Queued);
    CHECK(right.client.send(world.now, left_relay, as_bytes("hi")) == Client::Sent::Queued);
    world.run();
    REQUIRE(right.received.size() == 1);
    CHECK(right.received[0] == std::pair{left_relay, std::string{"hello"}});
    REQUIRE(left.received.size() == 1);
    CHECK(left.received[0] == std::pair{right_relay, std::string{"hi"}});
    CHECK(world.at_peers.empty());
}

TEST_CASE("turn: a port of the server that is no relay is never reached") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.permit(world.now, relay_v4.ip);
    end.client.bind_channel(world.now, server_address);
    world.run();
    CHECK(end.last<Client::ChannelFailed>().failure.kind == FailureKind::Forbidden);
    end.client.send(world.now, server_address, as_bytes("x"));
    world.run();
    CHECK(world.at_peers.empty());
    CHECK(world.server.dropped(DropReason::PeerRefused) == 1);
}

TEST_CASE("turn: a channel to a relay that has closed leads nowhere") {
    World world;
    ClientEnd& left = world.add_client();
    ClientEnd& right = world.add_client(client_config(), "198.51.100.8:1");
    const SocketAddress right_relay = right.client.relayed().at(0);
    left.client.bind_channel(world.now, right_relay);
    world.run();
    REQUIRE(left.client.channel_of(world.now, right_relay));
    right.client.release(world.now);
    world.run();
    left.client.send(world.now, right_relay, as_bytes("x"));
    world.run();
    CHECK(world.at_peers.empty());
    CHECK(world.server.dropped(DropReason::UnknownRelay) == 1);
}

TEST_CASE("turn: a nonce that goes stale in between costs one round trip") {
    auto config = server_config();
    config.authentication.nonce_lifetime = 60s;
    World world{config};
    ClientEnd& end = world.add_client();
    end.client.permit(world.now, peer_address.ip);
    world.run();
    world.advance(1h);
    CHECK(end.count<Client::Expired>() == 0);
    CHECK(end.count<Client::RefreshFailed>() == 0);
    CHECK(end.count<Client::PermissionFailed>() == 0);
    world.from_peer(peer_address, relay_v4, "x");
    CHECK(end.received.size() == 1);
}

TEST_CASE("turn: many requests under way when the nonce goes stale are all repeated") {
    auto config = server_config();
    config.authentication.nonce_lifetime = 60s;
    World world{config};
    ClientEnd& end = world.add_client();
    world.now += 61s;
    for (unsigned i = 1; i <= 40; ++i) end.client.permit(world.now, IpAddress::v4(0x08080800U + i));
    world.run();
    CHECK(end.count<Client::PermissionInstalled>() == 40);
    CHECK(end.count<Client::PermissionFailed>() == 0);
}

TEST_CASE("turn: a dual allocation relays in both families, and each ends alone") {
    auto config = server_config();
    config.ipv6 = Offer::Offered;
    World world{config};
    auto wish = client_config();
    wish.family = FamilyWish::Both;
    ClientEnd& end = world.add_client(wish);
    const auto& allocated = end.last<Client::Allocated>();
    REQUIRE(allocated.relayed.size() == 2);
    CHECK(allocated.relayed[0].ip.is_v4());
    CHECK(allocated.relayed[1].ip.is_v6());
    CHECK_FALSE(allocated.missing_family);
    const SocketAddress v6_peer = address("[2606:4700::1111]:53");
    end.client.permit(world.now, peer_address.ip);
    end.client.permit(world.now, v6_peer.ip);
    world.run();
    for (const SocketAddress& peer : {peer_address, v6_peer}) {
        end.client.send(world.now, peer, as_bytes("x"));
        world.run();
        CHECK(world.at_peers.back().path.remote == peer);
        CHECK(world.at_peers.back().path.local.ip.family() == peer.ip.family());
        world.from_peer(peer, world.at_peers.back().path.local, "back");
        CHECK(end.received.back().first == peer);
    }
}

TEST_CASE("turn: a dual allocation of which one family fails is a success with the reason") {
    for (const bool offered : {true, false}) {
        CAPTURE(offered);
        auto config = server_config();
        config.ipv6 = offered ? Offer::Offered : Offer::NotOffered;
        World world{config};
        world.driver = World::Driver::FailsV6;
        auto wish = client_config();
        wish.family = FamilyWish::Both;
        ClientEnd& end = world.add_client(wish);
        const auto& allocated = end.last<Client::Allocated>();
        CHECK(allocated.relayed.size() == 1);
        CHECK(allocated.missing_family == (offered ? FailureKind::InsufficientCapacity
                                                   : FailureKind::AddressFamilyNotSupported));
        CHECK(world.server.relays() == 1);
    }
}

TEST_CASE("turn: EVEN-PORT gives an even port, and reserves the next for a token") {
    World world;
    world.next_port = 50001;
    auto wish = client_config();
    wish.even_port = stun::EvenPort{stun::EvenPort::Next::Reserve};
    ClientEnd& first = world.add_client(wish);
    const auto& allocated = first.last<Client::Allocated>();
    CHECK(allocated.relayed[0].port == Port{50002});
    REQUIRE(allocated.reservation);
    auto with_token = client_config();
    with_token.reservation = allocated.reservation;
    ClientEnd& second = world.add_client(with_token, "198.51.100.8:1");
    CHECK(second.last<Client::Allocated>().relayed[0].port == Port{50003});
    second.client.permit(world.now, peer_address.ip);
    world.run();
    world.from_peer(peer_address, second.client.relayed()[0], "x");
    CHECK(second.received.size() == 1);

    ClientEnd& third = world.add_client(with_token, "198.51.100.8:2");  // taken already
    CHECK(third.last<Client::Failed>().failure.kind == FailureKind::InsufficientCapacity);
}

TEST_CASE("turn: a reservation that nobody takes ends, and belongs to its user") {
    World world;
    auto wish = client_config();
    wish.even_port = stun::EvenPort{stun::EvenPort::Next::Reserve};
    ClientEnd& first = world.add_client(wish);
    auto token = client_config();
    token.reservation = first.last<Client::Allocated>().reservation;
    token.username = "bob";
    token.password = "hidden";
    ClientEnd& thief = world.add_client(token, "198.51.100.8:1");
    CHECK(thief.last<Client::Failed>().failure.kind == FailureKind::InsufficientCapacity);
    CHECK(world.server.relays() == 2);
    world.advance(reservation_lifetime);
    CHECK(world.server.relays() == 1);
    CHECK(world.closed.size() == 1);
}

TEST_CASE("turn: DONT-FRAGMENT reaches the driver, or is asked for in vain") {
    for (const bool offered : {true, false}) {
        CAPTURE(offered);
        auto config = server_config();
        config.dont_fragment = offered ? Offer::Offered : Offer::NotOffered;
        World world{config};
        auto wish = client_config();
        wish.dont_fragment = ClientConfig::DontFragment::Wanted;
        ClientEnd& end = world.add_client(wish);
        CHECK(end.count<Client::Allocated>() == 1);
        end.client.permit(world.now, peer_address.ip);
        world.run();
        end.client.send(world.now, peer_address, as_bytes("x"), ClientConfig::DontFragment::Wanted);
        world.run();
        CHECK(world.at_peers.size() == (offered ? 1 : 0));
        if (offered) CHECK(world.at_peers[0].fragmentation == Fragmentation::Forbidden);
    }
}

TEST_CASE("turn: DONT-FRAGMENT is ignored where IPv6 is on either side, RFC 8656 Section 13") {
    struct Case {
        const char* from;
        ClientTransport transport;
        const char* peer;
        Fragmentation expected;
    };
    const Case cases[] = {
        {"198.51.100.7:1", ClientTransport::Udp, "8.8.8.8:9", Fragmentation::Forbidden},
        {"198.51.100.7:1", ClientTransport::Dtls, "8.8.8.8:9", Fragmentation::Forbidden},
        {"198.51.100.7:1", ClientTransport::Udp, "[2a00::5]:9", Fragmentation::Allowed},
        {"[2a01::7]:1", ClientTransport::Udp, "8.8.8.8:9", Fragmentation::Allowed},
        {"[2a01::7]:1", ClientTransport::Dtls, "[2a00::5]:9", Fragmentation::Allowed},
        {"[2a01::7]:1", ClientTransport::Tcp, "[2a00::5]:9", Fragmentation::Forbidden},
        {"198.51.100.7:1", ClientTransport::Tls, "[2a00::5]:9", Fragmentation::Forbidden},
    };
    for (const Case& each : cases) {
        CAPTURE(each.from);
        CAPTURE(each.peer);
        auto config = server_config();
        config.dont_fragment = Offer::Offered;
        config.ipv6 = Offer::Offered;
        World world{config};
        auto wish = client_config();
        wish.transport = each.transport;
        wish.family = FamilyWish::Both;
        ClientEnd& end = world.add_client(wish, each.from);
        const SocketAddress peer = address(each.peer);
        end.client.permit(world.now, peer.ip);
        world.run();
        end.client.send(world.now, peer, as_bytes("x"), ClientConfig::DontFragment::Wanted);
        world.run();
        REQUIRE(world.at_peers.size() == 1);
        CHECK(world.at_peers[0].fragmentation == each.expected);
    }
}

TEST_CASE("turn: an ICMP error about a permitted peer reaches the application") {
    World world;
    ClientEnd& end = world.add_client();
    const RelayId id = world.id_of(relay_v4);
    const stun::Icmp too_big{.icmp_type = 3, .icmp_code = 4, .error_data = 1400};
    world.server.handle_icmp(world.now, id, peer_address, too_big);
    world.run();
    CHECK(end.count<Client::PeerUnreachable>() == 0);  // not permitted
    end.client.permit(world.now, peer_address.ip);
    world.run();
    world.server.handle_icmp(world.now, id, peer_address, too_big);
    world.run();
    CHECK(end.last<Client::PeerUnreachable>().peer == peer_address);
    CHECK(end.last<Client::PeerUnreachable>().icmp == too_big);
    world.server.handle_icmp(world.now, id, peer_address,
                             {.icmp_type = 3, .icmp_code = 1, .error_data = 7});
    world.run();
    CHECK(end.last<Client::PeerUnreachable>().icmp.error_data == 0);
    world.server.handle_icmp(world.now, id, peer_address, {.icmp_type = 8});
    world.run();
    CHECK(end.count<Client::PeerUnreachable>() == 2);
}

TEST_CASE("turn: losses on the way change nothing but the time it takes") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        World world{server_config(), seed};
        crypto::RandomStream dice{crypto::seed_from_number(seed)};
        const auto lost = [&] { return dice.below(100) < 15; };
        world.lose_to_server = lost;
        world.lose_to_client = lost;
        ClientEnd& end = world.add_client();
        end.client.permit(world.now, other_peer.ip);
        end.client.bind_channel(world.now, peer_address);
        world.advance(3h);
        CHECK(end.count<Client::Allocated>() == 1);
        CHECK(end.count<Client::Expired>() == 0);
        CHECK(world.server.allocations() == 1);
        world.lose_to_server = nullptr;
        world.lose_to_client = nullptr;
        world.from_peer(peer_address, relay_v4, "x");
        world.from_peer(other_peer, relay_v4, "x");
        CHECK(end.received.size() == 2);
    }
}

}  // namespace
}  // namespace stile::turn::test
