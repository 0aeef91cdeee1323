// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Two clients that reach nobody but the server: each one's peer is the other's relay.
#include <doctest/doctest.h>
#include <stile/turn/client.hpp>
#include <stile/turn_server/service.hpp>

#include <deque>

namespace stile::turn_server {
namespace {

using turn::Client;

constexpr Instant start{};
constexpr WallTime wall_start{std::chrono::seconds{1'800'000'000}};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

struct End {
    turn::ClientFlow flow;
    Client client;
    std::vector<Client::Event> events;
    std::vector<std::pair<SocketAddress, std::string>> received;

    template <class Kind>
    const Kind* last() const {
        const Kind* found = nullptr;
        for (const auto& event : events) {
            if (const auto* each = std::get_if<Kind>(&event)) found = each;
        }
        return found;
    }
};

// A service with two clients whose relays are at `relay`, which is the server's own address, or
// the external one of its one-to-one NAT.
struct Pair {
    explicit Pair(IpAddress relay) : relay_ip{relay}, service{make(relay)} {
        REQUIRE(service.credentials().set_account("alice", "secret"));
        REQUIRE(service.credentials().set_account("bob", "hidden"));
        for (const auto& [name, password, port] :
             {std::tuple{"alice", "secret", 1}, std::tuple{"bob", "hidden", 2}}) {
            turn::ClientConfig config;
            config.username = name;
            config.password = password;
            ends.push_back({.flow = {.local = SocketAddress::parse("192.0.2.1:3478").value(),
                                     .remote = {.ip = ip("198.51.100.7"),
                                                .port = {static_cast<std::uint16_t>(port)}}},
                            .client = Client{start, config, random.fork()},
                            .events = {},
                            .received = {}});
        }
        run();
    }

    static Service make(IpAddress relay) {
        ServiceConfig config;
        config.relay.authentication.realm = "example.org";
        config.own_addresses = {ip("192.0.2.1"), relay};
        config.replies.rate = {.per_second = 1000, .burst = 1000};
        return {start, wall_start, std::move(config),
                crypto::RandomStream{crypto::seed_from_number(1)}};
    }
    void deliver(const turn::ClientFlow& flow, BytesView message) {
        for (End& end : ends) {
            if (end.flow != flow) continue;
            const auto data = end.client.handle_message(start, message);
            if (data) end.received.emplace_back(data->peer, to_text(data->payload));
        }
    }
    void run() {
        for (bool busy = true; busy;) {
            busy = false;
            for (End& end : ends) {
                while (const auto message = end.client.poll_transmit()) {
                    busy = true;
                    const Bytes copy = to_bytes(*message);
                    const auto relayed = service.handle_client(start, end.flow, copy);
                    if (!relayed) continue;
                    if (const auto* data = std::get_if<turn::ToClient>(&*relayed)) {
                        Bytes whole = to_bytes(data->prefix());
                        whole.insert(whole.end(), data->payload.begin(), data->payload.end());
                        whole.resize(data->size());
                        deliver(data->flow, whole);
                    } else {
                        ++to_sockets;
                    }
                }
                while (const auto event = end.client.poll_event()) end.events.push_back(*event);
            }
            while (const auto event = service.poll_event()) {
                busy = true;
                if (const auto* wanted = std::get_if<turn::RelayWanted>(&*event)) {
                    service.handle_relay_opened(start, wanted->relay,
                                                {.ip = relay_ip, .port = {next_port++}});
                }
            }
            while (const auto answer = service.poll_transmit()) {
                busy = true;
                deliver(answer->flow, to_bytes(answer->message));
            }
        }
    }

    IpAddress relay_ip;
    Service service;
    crypto::RandomStream random{crypto::seed_from_number(2)};
    std::deque<End> ends;
    std::uint16_t next_port = 50000;
    std::size_t to_sockets = 0;
};

TEST_CASE("turn service: two relayed clients reach each other, in process, if both permit it") {
    // Its own address, and the external one of a one-to-one NAT.
    for (const std::string_view relay : {"192.0.2.1", "203.0.113.9"}) {
        for (const bool channel : {false, true}) {
            CAPTURE(relay);
            CAPTURE(channel);
            Pair pair{ip(relay)};
            End& alice = pair.ends[0];
            End& bob = pair.ends[1];
            REQUIRE(alice.client.relayed().size() == 1);
            REQUIRE(bob.client.relayed().size() == 1);
            const SocketAddress to_bob = bob.client.relayed()[0];
            const SocketAddress to_alice = alice.client.relayed()[0];
            const auto open = [&](End& end, const SocketAddress& peer) {
                if (channel) {
                    end.client.bind_channel(start, peer);
                } else {
                    end.client.permit(start, peer.ip);
                }
                pair.run();
            };
            const auto send = [&](End& end, const SocketAddress& peer, std::string_view text) {
                CHECK(end.client.send(start, peer, as_bytes(text)) == Client::Sent::Queued);
                pair.run();
            };
            // One side's permission is not enough, whichever it is.
            open(alice, to_bob);
            CHECK(alice.last<Client::PermissionFailed>() == nullptr);
            CHECK(alice.last<Client::ChannelFailed>() == nullptr);
            send(alice, to_bob, "too early");
            CHECK(bob.received.empty());
            CHECK(bob.client.send(start, to_alice, as_bytes("x")) == Client::Sent::NotPermitted);

            open(bob, to_alice);
            send(alice, to_bob, "hello");
            send(bob, to_alice, "hi");
            REQUIRE(bob.received.size() == 1);
            CHECK(bob.received[0] == std::pair{to_alice, std::string{"hello"}});
            REQUIRE(alice.received.size() == 1);
            CHECK(alice.received[0] == std::pair{to_bob, std::string{"hi"}});
            CHECK(pair.to_sockets == 0);
        }
    }
}

TEST_CASE("turn service: no other port of its own addresses is a peer") {
    for (const std::string_view relay : {"192.0.2.1", "203.0.113.9"}) {
        CAPTURE(relay);
        Pair pair{ip(relay)};
        End& alice = pair.ends[0];
        // No relay is there.
        alice.client.bind_channel(start, {.ip = ip(relay), .port = {50002}});
        // The listener itself.
        alice.client.bind_channel(start, {.ip = ip("192.0.2.1"), .port = {3478}});
        pair.run();
        std::size_t forbidden = 0;
        for (const auto& event : alice.events) {
            const auto* failed = std::get_if<Client::ChannelFailed>(&event);
            if (failed != nullptr && failed->failure.kind == turn::FailureKind::Forbidden) {
                ++forbidden;
            }
        }
        CHECK(forbidden == 2);
        // With the permission for the address, which another relay may need, still no datagram.
        alice.client.permit(start, ip(relay));
        pair.run();
        alice.client.send(start, {.ip = ip(relay), .port = {50002}}, as_bytes("x"));
        pair.run();
        CHECK(pair.to_sockets == 0);
    }
}

TEST_CASE("turn service: a relay that has closed is no peer any more") {
    Pair pair{ip("192.0.2.1")};
    End& alice = pair.ends[0];
    End& bob = pair.ends[1];
    const SocketAddress to_bob = bob.client.relayed()[0];
    alice.client.permit(start, to_bob.ip);
    bob.client.permit(start, to_bob.ip);
    pair.run();
    bob.client.release(start);
    pair.run();
    REQUIRE(bob.last<Client::Released>() != nullptr);
    alice.client.send(start, to_bob, as_bytes("x"));
    alice.client.bind_channel(start, to_bob);
    pair.run();
    CHECK(pair.to_sockets == 0);
    REQUIRE(alice.last<Client::ChannelFailed>() != nullptr);
    CHECK(alice.last<Client::ChannelFailed>()->failure.kind == turn::FailureKind::Forbidden);
}

}  // namespace
}  // namespace stile::turn_server
