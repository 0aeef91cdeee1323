// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "foreign_flows.hpp"
#include "test_relay.hpp"

#include <stile/stun/message_builder.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using namespace std::chrono_literals;
using drivers::Loop;

namespace {

Settings four_shards() {
    Settings settings = settings_of({{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")}});
    settings.shards = 4;
    settings.tenants[0].limits.relays_per_user = 100;
    settings.tenants[0].limits.mobility = turn::Offer::Offered;
    return settings;
}

// A client that can go on over a second socket.
class MovingWire final : public Wire {
public:
    MovingWire(Loop& loop, SocketAddress server) : loop_(loop), server_(server) { move(); }
    void move() {
        sockets_.push_back(*drivers::UdpSocket::open(loop_, at("127.0.0.1:0")));
        sockets_.back()->on_datagrams([this](std::span<const drivers::Datagram> batch) {
            for (const auto& datagram : batch) on_message(datagram.payload);
        });
    }
    void send(BytesView message) override { send_on(0, message); }
    void send_on_last(BytesView message) { send_on(sockets_.size() - 1, message); }
    void forget_first() { sockets_.erase(sockets_.begin()); }

private:
    void send_on(std::size_t index, BytesView message) {
        sockets_[index]->send(Transmit{{sockets_[index]->local_address(), server_}, message});
    }
    Loop& loop_;
    SocketAddress server_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> sockets_;
};

}  // namespace

TEST_CASE("shards: a reservation is found whichever shard the second request reaches") {
    Loop loop;
    const auto relay = start(four_shards());
    TestPeer peer{loop, at("127.0.0.3:0")};
    // Three of four second requests reach another shard than the first.
    for (int i = 0; i < 8; ++i) {
        auto config = client_config();
        config.even_port = stun::EvenPort{.next = stun::EvenPort::Next::Reserve};
        const auto first = udp_client(loop, relay->listening()[0], config);
        auto second_config = client_config();
        second_config.reservation = first->find<turn::Client::Allocated>()->reservation;
        REQUIRE(second_config.reservation);
        const auto second = udp_client(loop, relay->listening()[0], second_config);
        CHECK(second->relayed().port.value == first->relayed().port.value + 1);
        second->bind(peer.address());
        REQUIRE(run(loop, [&] { return second->find<turn::Client::ChannelBound>() != nullptr; }));
        peer.heard.clear();
        second->send(peer.address(), "x");
        REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
        peer.send(second->relayed(), "y");
        REQUIRE(run(loop, [&] { return second->heard.size() == 1; }));
    }
}

TEST_CASE("shards: an allocation moves to any 5-tuple") {
    Loop loop;
    const auto relay = start(four_shards());
    TestPeer peer{loop, at("127.0.0.3:0")};
    for (int i = 0; i < 8; ++i) {
        auto config = client_config();
        config.mobility = turn::ClientConfig::Mobility::Wanted;
        auto wire = std::make_unique<MovingWire>(loop, relay->listening()[0]);
        MovingWire& moving = *wire;
        TestClient client{loop, std::move(wire), config};
        REQUIRE(run(loop, [&] { return client.find<turn::Client::Allocated>() != nullptr; }));
        client.bind(peer.address());
        REQUIRE(run(loop, [&] { return client.find<turn::Client::ChannelBound>() != nullptr; }));
        moving.move();
        REQUIRE(client.core().move(loop.now(), turn::ClientTransport::Udp) ==
                turn::Client::Moving::UnderWay);
        REQUIRE(run(loop, [&] {
            while (const auto message = client.core().poll_move_transmit()) {
                moving.send_on_last(*message);
            }
            client.pump();
            return client.find<turn::Client::Moved>() != nullptr;
        }));
        moving.forget_first();
        peer.heard.clear();
        client.send(peer.address(), "moved");
        REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
        CHECK(peer.heard[0].peer == client.relayed());
        peer.send(client.relayed(), "there");
        REQUIRE(run(loop, [&] { return client.heard.size() == 1; }));
    }
}

TEST_CASE("shards: relays of two shards are peers of each other") {
    Loop loop;
    const auto relay = start(four_shards());
    const auto hub = udp_client(loop, relay->listening()[0]);
    for (int i = 0; i < 8; ++i) {
        const auto other = udp_client(loop, relay->listening()[0]);
        hub->permit(other->relayed());
        other->permit(hub->relayed());
        REQUIRE(run(loop, [&] {
            return other->find<turn::Client::PermissionInstalled>() != nullptr &&
                   hub->find<turn::Client::PermissionInstalled>() != nullptr;
        }));
        other->send(hub->relayed(), "hello");
        REQUIRE(run(loop, [&] { return !hub->heard.empty(); }));
        CHECK(hub->heard[0].peer == other->relayed());
        hub->heard.clear();
    }
}

TEST_CASE("foreign flows: an origin is forgotten unless an allocation came of it") {
    const Instant start{};
    ForeignFlows flows;
    const turn::ClientFlow one{at("192.0.2.1:3478"), at("198.51.100.1:1"), {}};
    const turn::ClientFlow two{at("192.0.2.1:3478"), at("198.51.100.1:2"), {}};
    CHECK(flows.set_origin(start, one, 1));
    CHECK(flows.set_origin(start, two, 2));
    flows.keep(two);
    CHECK(flows.set_origin(start + 1s, two, 2));
    flows.expire(start + 59s);
    CHECK(flows.origin_of(one) == 1);
    flows.expire(start + 60s);
    CHECK_FALSE(flows.origin_of(one));
    CHECK(flows.origin_of(two) == 2);
    flows.clear_origin(two);
    CHECK_FALSE(flows.origin_of(two));
    CHECK(flows.expect_owner(start, one, 3));
    CHECK(flows.owner_of(one) == 3);
    flows.expire(start + 60s);
    CHECK_FALSE(flows.owner_of(one));
    flows.set_owner(one, 3);
    CHECK(flows.expect_owner(start, one, 3));
    flows.expire(start + 60s);
    CHECK(flows.owner_of(one) == 3);
    flows.clear_owner(one);
    CHECK_FALSE(flows.owner_of(one));
}
