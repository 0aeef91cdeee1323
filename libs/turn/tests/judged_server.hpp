// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oracle.hpp"
#include "world.hpp"

#include <cstdlib>

namespace stile::turn::test {

// How many random lives a property is held against; STILE_SEEDS says otherwise.
inline std::uint64_t seeds(std::uint64_t usual) {
    const char* wish = std::getenv("STILE_SEEDS");
    return wish == nullptr ? usual : std::strtoull(wish, nullptr, 10);
}

// A server and its driver, of which everything is held against the oracle: each answer, each
// datagram that passes or does not, each relay and connection that is open or closed, at each
// moment at which anything ends.
class JudgedServer {
public:
    static constexpr std::chrono::seconds nonce_lifetime{200};

    explicit JudgedServer(std::uint64_t seed)
        : random{crypto::seed_from_number(seed)},
          server{start, wall_start, config(), random.fork()} {
        REQUIRE(server.credentials().set_account("alice", "secret"));
        REQUIRE(server.credentials().set_account("bob", "hidden"));
    }

    struct Output {
        std::vector<std::pair<ClientFlow, Bytes>> to_clients;
        std::vector<World::AtPeer> at_peers;
    };

    // `user` is whose password a request is signed with.
    Output from_client(const ClientFlow& flow, const std::string& user, BytesView message) {
        REQUIRE(now >= time_);
        settle();
        Output output;
        const auto parsed = stun::MessageView::parse(message);
        const bool request = parsed && parsed->message_class() == stun::Class::Request;
        const auto expected = request ? Oracle::Delivery{} : oracle.from_client(now, flow, message);
        oracle.opened.reset();
        take(server.handle_client(now, flow, message), expected, payload_of(message), output);
        run_driver();
        std::size_t answers = 0;
        while (const auto transmit = server.poll_transmit()) {
            const auto response = stun::MessageView::parse(transmit->message).value();
            if (stun::is_response(response.message_class())) {
                ++answers;
                REQUIRE(request);
                CHECK(transmit->flow == flow);
                CHECK(response.id() == parsed->id());
                CHECK(response.method() == parsed->method());
                oracle.judge(now, flow, *parsed, user, response);
            }
            output.to_clients.emplace_back(transmit->flow, to_bytes(transmit->message));
        }
        CHECK(answers == (request ? 1U : 0U));
        run_driver();
        agree();
        return output;
    }
    Output from_peer(const SocketAddress& peer, const SocketAddress& relayed,
                     std::string_view payload) {
        settle();
        Output output;
        const auto expected = oracle.from_peer(now, relayed, peer);
        for (const auto& [id, relay] : relays) {
            if (relay.address != relayed || relay.protocol == RelayProtocol::Tcp) continue;
            const auto message = server.handle_peer(now, id, peer, as_bytes(payload));
            take(message ? std::optional<Relayed>{*message} : std::nullopt, expected,
                 as_bytes(payload), output);
        }
        return output;
    }
    // A peer connects to a TCP relay.
    Output connection_from(const SocketAddress& peer, const SocketAddress& relayed) {
        settle();
        Output output;
        for (const auto& [id, relay] : relays) {
            if (relay.address != relayed || relay.protocol == RelayProtocol::Udp) continue;
            const auto accepted = server.handle_peer_accepted(now, id, peer);
            CHECK(accepted.has_value() == oracle.accepts(now, relayed, peer));
            if (!accepted) break;
            oracle.accepted(now, relayed, peer, accepted->value);
            connections.insert(accepted->value);
            const auto told = server.poll_transmit();
            REQUIRE(told);
            output.to_clients.emplace_back(told->flow, to_bytes(told->message));
            break;
        }
        agree();
        return output;
    }

    // Through every moment at which anything ends here.
    void advance_to(Instant until) {
        for (;;) {
            const auto next = earlier(server.poll_timeout(), oracle.next());
            if (!next || *next > until) break;
            REQUIRE(*next >= now);
            now = *next;
            server.handle_timeout(now);
            run_driver();
            oracle.advance(now);
            agree();
            const auto later = server.poll_timeout();
            REQUIRE((!later || *later > now));
        }
        now = until;
        settle();
    }
    // When to call advance_to, at the latest.
    std::optional<Instant> next() const { return earlier(server.poll_timeout(), oracle.next()); }

private:
    struct OpenRelay {
        SocketAddress address;
        RelayProtocol protocol = RelayProtocol::Udp;
        enum class For : std::uint8_t { Allocation, Reservation };
        For use = For::Allocation;
    };

    static ServerConfig config() {
        ServerConfig made = server_config();
        made.authentication.nonce_lifetime = nonce_lifetime;
        made.relays_per_user = 100;
        made.tcp_relays = Offer::Offered;
        return made;
    }
    static BytesView payload_of(BytesView message) {
        if (const auto data = ChannelData::parse(message)) return data->payload;
        const auto parsed = stun::MessageView::parse(message);
        const auto data = parsed ? parsed->find(stun::AttributeType::Data) : std::nullopt;
        return data.value_or(BytesView{});
    }

    void settle() {
        time_ = now;
        if (const auto due = server.poll_timeout(); due && *due <= now) server.handle_timeout(now);
        run_driver();
        oracle.advance(now);
        agree();
    }

    void run_driver() {
        while (const auto event = server.poll_event()) {
            if (const auto* wish = std::get_if<RelayWanted>(&*event)) {
                open(*wish);
            } else if (const auto* gone = std::get_if<RelayClosed>(&*event)) {
                CHECK(relays.erase(gone->relay) == 1);
            } else if (const auto* wanted = std::get_if<ConnectionWanted>(&*event)) {
                if (oracle.peers == Oracle::Peers::Refuse) {
                    server.handle_connection_failed(now, wanted->connection,
                                                    ConnectionFailure::PeerUnreachable);
                } else {
                    connections.insert(wanted->connection.value);
                    server.handle_connection_opened(now, wanted->connection);
                }
            } else if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) {
                CHECK(connections.erase(closed->connection.value) == 1);
            }
        }
    }
    void open(const RelayWanted& wish) {
        if (oracle.ports == Oracle::Ports::None) return server.handle_relay_failed(now, wish.relay);
        if (wish.rule != PortRule::Any && next_port_ % 2 != 0) ++next_port_;
        const SocketAddress at{.ip = relay_v4.ip, .port = {next_port_++}};
        relays[wish.relay] = {.address = at, .protocol = wish.protocol};
        if (wish.next) {
            relays[*wish.next] = {.address = {.ip = at.ip, .port = {next_port_++}},
                                  .protocol = wish.protocol,
                                  .use = OpenRelay::For::Reservation};
        }
        oracle.opened = at;
        server.handle_relay_opened(now, wish.relay, at);
    }

    void take(const std::optional<Relayed>& relayed, const Oracle::Delivery& expected,
              BytesView payload, Output& output) {
        using Kind = Oracle::Delivery::Kind;
        const std::string expects =
            std::to_string(static_cast<int>(expected.kind)) + " " + expected.peer.to_string();
        CAPTURE(expects);
        CAPTURE(now.time_since_epoch().count());
        if (!relayed) {
            CHECK(expected.kind == Kind::Nothing);
            return;
        }
        if (const auto* peer = std::get_if<ToPeer>(&*relayed)) {
            CHECK(expected.kind == Kind::Peer);
            CHECK(peer->peer == expected.peer);
            CHECK(to_text(peer->payload) == to_text(payload));
            output.at_peers.push_back(
                {.path = {.local = relays.at(peer->relay).address, .remote = peer->peer},
                 .payload = to_text(peer->payload),
                 .fragmentation = peer->fragmentation});
            return;
        }
        const auto& message = std::get<ToClient>(*relayed);
        CAPTURE(message.flow.remote.to_string());
        CHECK(expected.kind == Kind::Client);
        CHECK(message.flow == expected.flow);
        const Bytes whole = concatenate(message);
        if (expected.channel) {
            const auto data = ChannelData::parse(whole);
            REQUIRE(data);
            CHECK(data->channel.value == *expected.channel);
            CHECK(to_text(data->payload) == to_text(payload));
        } else {
            const auto indication = stun::MessageView::parse(whole).value();
            CHECK(indication.method() == stun::Method::Data);
            CHECK(indication.get<stun::XorPeerAddress>().value().address == expected.peer);
            CHECK(to_text(indication.get<stun::Data>().value().octets) == to_text(payload));
        }
        output.to_clients.emplace_back(message.flow, whole);
    }

    // What the driver has open is what there should be.
    void agree() {
        CHECK(server.allocations() == oracle.allocations());
        std::set<SocketAddress> there;
        for (const auto& [flow, allocation] : oracle.all()) {
            there.insert(allocation.relayed);
        }
        std::size_t found = 0;
        for (auto& [id, relay] : relays) {
            if (there.contains(relay.address)) {
                relay.use = OpenRelay::For::Allocation;
                ++found;
            } else {
                CHECK(relay.use == OpenRelay::For::Reservation);
            }
        }
        CHECK(found == there.size());
        CHECK(connections == oracle.connection_ids());
    }

public:
    crypto::RandomStream random;
    Instant now = start;
    Server server;
    Oracle oracle{nonce_lifetime};
    std::map<RelayId, OpenRelay> relays;
    std::set<std::uint32_t> connections;

private:
    Instant time_ = start;
    std::uint16_t next_port_ = relay_v4.port.value;
};

}  // namespace stile::turn::test
