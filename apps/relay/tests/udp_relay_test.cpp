// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_relay.hpp"

#include <stile/base/byte_reader.hpp>
#include <stile/stun/message_builder.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;

namespace {

const Listener udp{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")};

}  // namespace

TEST_CASE("relay over UDP: data goes both ways, as indications and on a channel") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    const auto client = udp_client(loop, relay->listening()[0]);
    CHECK(client->relayed().ip == at("127.0.0.2:0").ip);
    TestPeer peer{loop, at("127.0.0.3:0")};

    client->permit(peer.address());
    REQUIRE(run(loop, [&] { return client->find<turn::Client::PermissionInstalled>(); }));
    client->send(peer.address(), "by indication");
    REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
    CHECK(peer.heard[0].text == "by indication");
    CHECK(peer.heard[0].peer == client->relayed());
    for (const std::string text : {"a", "ab", "abc", "abcd", ""}) {
        peer.send(client->relayed(), text);
        REQUIRE(run(loop, [&] { return !client->heard.empty(); }));
        CHECK(client->heard.back().text == text);
        CHECK(client->heard.back().peer == peer.address());
        client->heard.clear();
    }

    client->bind(peer.address());
    REQUIRE(run(loop, [&] { return client->find<turn::Client::ChannelBound>(); }));
    client->send(peer.address(), "on the channel");
    REQUIRE(run(loop, [&] { return peer.heard.size() == 2; }));
    CHECK(peer.heard[1].text == "on the channel");
    peer.send(client->relayed(), "back");
    REQUIRE(run(loop, [&] { return client->heard.size() == 1; }));
    CHECK(client->heard[0].text == "back");

    const Statistics statistics = relay->statistics();
    CHECK(statistics.allocations == 1);
    CHECK(statistics.relays == 1);
    CHECK(statistics.relay.packets_to_peers == 2);
    CHECK(statistics.relay.packets_to_clients == 6);
}

TEST_CASE("relay over UDP: trains of equal datagrams arrive whole and in order") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    const auto client = udp_client(loop, relay->listening()[0]);
    const auto peer = *drivers::UdpSocket::open(loop, at("127.0.0.3:0"));
    std::vector<std::string> heard;
    peer->on_datagrams([&](std::span<const drivers::Datagram> batch) {
        for (const auto& datagram : batch) heard.emplace_back(as_text(datagram.payload));
    });
    client->bind(peer->local_address());
    REQUIRE(run(loop, [&] { return client->find<turn::Client::ChannelBound>(); }));

    std::vector<std::string> sent;
    std::vector<drivers::Outgoing> batch;
    for (char c = 'a'; c < 'a' + 16; ++c) sent.push_back(std::string(1200, c));
    for (const std::string& text : sent) {
        batch.push_back({{peer->local_address(), client->relayed()}, as_bytes(text), {}, {}});
    }
    peer->send_batch(batch);
    REQUIRE(run(loop, [&] { return client->heard.size() == 16; }));
    for (std::size_t i = 0; i < 16; ++i) CHECK(client->heard[i].text == sent[i]);

    for (const std::string& text : sent) client->send(peer->local_address(), text);
    REQUIRE(run(loop, [&] { return heard.size() == 16; }));
    CHECK(heard == sent);
}

TEST_CASE("relay over UDP: an unreachable peer ends nothing, and the client is told") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    const auto client = udp_client(loop, relay->listening()[0]);
    const auto other = udp_client(loop, relay->listening()[0]);
    TestPeer peer{loop, at("127.0.0.3:0")};
    SocketAddress nobody;
    {
        TestPeer gone{loop, at("127.0.0.3:0")};
        nobody = gone.address();
    }
    for (const auto& each : {client.get(), other.get()}) {
        each->permit(peer.address());
        REQUIRE(run(loop, [&] { return each->find<turn::Client::PermissionInstalled>(); }));
    }
    client->send(nobody, "into the void");
    client->send(peer.address(), "after it");
    other->send(peer.address(), "and another's");
    REQUIRE(run(loop, [&] {
        return peer.heard.size() == 2 && client->find<turn::Client::PeerUnreachable>();
    }));
    const auto* const told = client->find<turn::Client::PeerUnreachable>();
    CHECK(told->peer.ip == nobody.ip);
    CHECK(told->icmp.icmp_type == 3);
    CHECK(told->icmp.icmp_code == 3);
    CHECK(relay->statistics().allocations == 2);
}

TEST_CASE("relay over UDP: a peer without a route ends nothing") {
    // From 127.0.0.2 there is no way to any other network: the send itself is refused.
    Loop loop;
    Settings settings = settings_of({udp});
    REQUIRE(settings.tenants[0].limits.peers.open(*IpPrefix::parse("192.0.2.0/24")));
    const auto relay = start(std::move(settings));
    const auto client = udp_client(loop, relay->listening()[0]);
    TestPeer peer{loop, at("127.0.0.3:0")};
    client->permit(peer.address());
    client->permit(at("192.0.2.1:9"));
    REQUIRE(run(loop, [&] {
        return client->core().send(loop.now(), at("192.0.2.1:9"), {}) == turn::Client::Sent::Queued;
    }));
    client->send(at("192.0.2.1:9"), "lost");
    client->send(peer.address(), "alive");
    REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
    CHECK(relay->statistics().allocations == 1);
    CHECK(relay->statistics().send_errors >= 1);
}

TEST_CASE("relay over UDP: an even port with its neighbour reserved") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    auto config = client_config();
    config.even_port = stun::EvenPort{.next = stun::EvenPort::Next::Reserve};
    const auto first = udp_client(loop, relay->listening()[0], config);
    CHECK(first->relayed().port.value % 2 == 0);
    const auto* const allocated = first->find<turn::Client::Allocated>();
    REQUIRE(allocated->reservation);

    auto second_config = client_config();
    second_config.reservation = allocated->reservation;
    const auto second = udp_client(loop, relay->listening()[0], second_config);
    CHECK(second->relayed().ip == first->relayed().ip);
    CHECK(second->relayed().port.value == first->relayed().port.value + 1);
    TestPeer peer{loop, at("127.0.0.3:0")};
    second->permit(peer.address());
    REQUIRE(run(loop, [&] { return second->find<turn::Client::PermissionInstalled>(); }));
    second->send(peer.address(), "from the odd one");
    REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
    CHECK(peer.heard[0].peer == second->relayed());
}

TEST_CASE("relay over UDP: IPv4 and IPv6 in one allocation") {
    Loop loop;
    Settings settings = settings_of({udp});
    // Loopback has one IPv6 address only; were it a relay's, the peer could not be there, too.
    settings.relay_addresses.push_back(
        {.local = at("[::1]:0").ip, .external = at("[2001:db8::1]:0").ip});
    const auto relay = start(std::move(settings));
    auto config = client_config();
    config.family = turn::FamilyWish::Both;
    const auto client = udp_client(loop, relay->listening()[0], config);
    REQUIRE(client->core().relayed().size() == 2);
    TestPeer v4{loop, at("127.0.0.3:0")};
    TestPeer v6{loop, at("[::1]:0")};
    client->permit(v4.address());
    client->bind(v6.address());
    REQUIRE(run(loop, [&] {
        return client->find<turn::Client::PermissionInstalled>() &&
               client->find<turn::Client::ChannelBound>();
    }));
    client->send(v4.address(), "four");
    client->send(v6.address(), "six");
    REQUIRE(run(loop, [&] { return v4.heard.size() == 1 && v6.heard.size() == 1; }));
    v6.send(v6.heard[0].peer, "back");
    REQUIRE(run(loop, [&] { return client->heard.size() == 1; }));
    CHECK(client->heard[0].peer == v6.address());
}

TEST_CASE("relay over UDP: relays are spread over the addresses, at ports of the range") {
    Loop loop;
    Settings settings = settings_of({udp});
    settings.relay_addresses.push_back({.local = at("127.0.0.4:0").ip, .external = {}});
    settings.ports = {.first = 50'000, .last = 50'999};
    settings.tenants[0].limits.relays_per_user = 100;
    const auto relay = start(std::move(settings));
    std::map<IpAddress, int> used;
    for (int i = 0; i < 24; ++i) {
        const auto client = udp_client(loop, relay->listening()[0]);
        ++used[client->relayed().ip];
        CHECK(client->relayed().port.value >= 50'000);
        CHECK(client->relayed().port.value <= 50'999);
    }
    // All on one of two has a chance of one in eight million.
    CHECK(used.size() == 2);
}

TEST_CASE("relay over UDP: peers and clients are told the address outside of a 1:1 NAT") {
    Loop loop;
    Settings settings = settings_of({udp});
    settings.relay_addresses[0].external = at("127.99.0.1:0").ip;
    const auto relay = start(std::move(settings));
    const auto one = udp_client(loop, relay->listening()[0]);
    const auto two = udp_client(loop, relay->listening()[0]);
    CHECK(one->relayed().ip == at("127.99.0.1:0").ip);
    one->permit(two->relayed());
    two->permit(one->relayed());
    REQUIRE(run(loop, [&] {
        return one->find<turn::Client::PermissionInstalled>() &&
               two->find<turn::Client::PermissionInstalled>();
    }));
    one->send(two->relayed(), "hairpin");
    REQUIRE(run(loop, [&] { return two->heard.size() == 1; }));
    CHECK(two->heard[0].peer == one->relayed());
}

TEST_CASE("relay over UDP: a Binding request is answered on the same port") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    const auto socket = *drivers::UdpSocket::open(loop, at("127.0.0.1:0"));
    Bytes answer;
    socket->on_datagrams(
        [&](std::span<const drivers::Datagram> batch) { answer = to_bytes(batch[0].payload); });
    const stun::TransactionId id{};
    const Bytes request =
        stun::MessageBuilder{stun::Class::Request, stun::Method::Binding, id}.finish();
    socket->send(Transmit{{socket->local_address(), relay->listening()[0]}, request});
    REQUIRE(run(loop, [&] { return !answer.empty(); }));
    const auto view = stun::MessageView::parse(answer);
    REQUIRE(view);
    CHECK(view->get<stun::XorMappedAddress>()->address == socket->local_address());
    CHECK(relay->statistics().binding_answers == 1);
}

TEST_CASE("relay over UDP: on a wildcard a client is answered from where it asked") {
    Loop loop;
    const auto relay =
        start(settings_of({{.kind = ListenerKind::Udp, .address = at("0.0.0.0:0")}}));
    SocketAddress server = relay->listening()[0];
    server.ip = at("127.0.0.7:0").ip;
    const auto client = udp_client(loop, server);
    CHECK(client->relayed().ip == at("127.0.0.2:0").ip);
}

TEST_CASE("relay over UDP: every shard serves, and all share the port") {
    Loop loop;
    Settings settings = settings_of({udp});
    settings.shards = 4;
    settings.tenants[0].limits.relays_per_user = 100;
    const auto relay = start(std::move(settings));
    TestPeer peer{loop, at("127.0.0.3:0")};
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 16; ++i) {
        clients.push_back(udp_client(loop, relay->listening()[0]));
        clients.back()->bind(peer.address());
    }
    for (const auto& client : clients) {
        REQUIRE(run(loop, [&] { return client->find<turn::Client::ChannelBound>(); }));
        client->send(peer.address(), "x");
    }
    REQUIRE(run(loop, [&] { return peer.heard.size() == 16; }));
    CHECK(relay->statistics().allocations == 16);
}

TEST_CASE("relay over UDP: a port in use is an error that says which") {
    Loop loop;
    const auto taken = *drivers::UdpSocket::open(loop, at("127.0.0.1:0"));
    const auto relay =
        Relay::start(settings_of({{.kind = ListenerKind::Udp, .address = taken->local_address()}}));
    REQUIRE_FALSE(relay);
    CHECK(relay.error().what.find(taken->local_address().to_string()) != std::string::npos);
    CHECK(relay.error().cause.find("in use") != std::string::npos);
}

TEST_CASE("relay over UDP: a relay's socket goes when the allocation does") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    const auto client = udp_client(loop, relay->listening()[0]);
    const SocketAddress relayed = client->relayed();
    CHECK_FALSE(drivers::UdpSocket::open(loop, relayed));
    client->core().release(loop.now());
    client->pump();
    REQUIRE(run(loop, [&] { return client->find<turn::Client::Released>(); }));
    CHECK(relay->statistics().allocations == 0);
    CHECK(drivers::UdpSocket::open(loop, relayed));
}
