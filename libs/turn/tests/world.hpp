// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <stile/base/machine.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/turn/client.hpp>
#include <stile/turn/server.hpp>

#include <functional>
#include <map>

namespace stile::turn::test {

using namespace std::chrono_literals;

inline constexpr Instant start{};
inline constexpr WallTime wall_start{std::chrono::seconds{1'800'000'000}};

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }
inline Bytes concatenate(const ToClient& message) {
    Bytes whole = to_bytes(message.prefix());
    whole.insert(whole.end(), message.payload.begin(), message.payload.end());
    whole.resize(message.size());
    return whole;
}

inline const SocketAddress server_address = address("192.0.2.1:3478");
inline const SocketAddress relay_v4 = address("192.0.2.1:49152");
inline const SocketAddress peer_address = address("8.8.8.8:9000");
inline const SocketAddress other_peer = address("9.9.9.9:7");

inline ServerConfig server_config() {
    ServerConfig config;
    config.authentication.realm = "example.org";
    config.authentication.nonce_key[0] = std::byte{7};
    config.authentication.algorithms.add(stun::PasswordAlgorithm::Sha256);
    config.authentication.algorithms.add(stun::PasswordAlgorithm::Md5);
    return config;
}
inline ClientConfig client_config() { return {.username = "alice", .password = "secret"}; }

// One client with its 5-tuple, and what it has said and received.
struct ClientEnd {
    Client client;
    ClientFlow flow;
    std::vector<Client::Event> events;
    std::vector<std::pair<SocketAddress, std::string>> received;

    template <class Kind>
    std::size_t count() const {
        std::size_t found = 0;
        for (const auto& event : events) found += std::holds_alternative<Kind>(event) ? 1U : 0U;
        return found;
    }
    template <class Kind>
    const Kind& last() const {
        const Kind* found = nullptr;
        for (const auto& event : events) {
            if (const auto* each = std::get_if<Kind>(&event)) found = each;
        }
        REQUIRE(found != nullptr);
        return *found;
    }
};

// A server with its driver, clients and peers, all in memory, at a time of its own.
class World {
public:
    explicit World(ServerConfig config = server_config(), std::uint64_t seed = 1)
        : random_{crypto::seed_from_number(seed)},
          server{start, wall_start, std::move(config), random_.fork()} {
        REQUIRE(server.credentials().set_account("alice", "secret"));
        REQUIRE(server.credentials().set_account("bob", "hidden"));
    }

    ClientEnd& add_client(ClientConfig config = client_config(),
                          std::string_view from = "198.51.100.7:40000") {
        const ClientFlow flow{
            .local = server_address, .remote = address(from), .transport = config.transport};
        clients.push_back({.client = Client{now, std::move(config), random_.fork()}, .flow = flow});
        run();
        return clients.back();
    }

    // Until nobody has anything to say.
    void run() {
        for (bool busy = true; busy;) {
            busy = run_events();
            while (const auto transmit = server.poll_transmit()) {
                busy = true;
                ++answers;
                if (lose_to_client && lose_to_client()) continue;
                deliver(transmit->flow, to_bytes(transmit->message));
            }
            for (ClientEnd& end : clients) {
                while (const auto message = end.client.poll_transmit()) {
                    busy = true;
                    ++requests;
                    if (lose_to_server && lose_to_server()) continue;
                    const Bytes copy = to_bytes(*message);
                    relay(server.handle_client(now, end.flow, copy));
                }
                while (auto event = end.client.poll_event()) end.events.push_back(*event);
            }
        }
    }

    bool run_events() {
        bool any = false;
        while (const auto event = server.poll_event()) {
            any = true;
            handle(*event);
        }
        return any;
    }

    // Wakes everybody when they asked for it.
    void advance(Duration duration) {
        const Instant until = now + duration;
        for (;;) {
            std::optional<Instant> next = server.poll_timeout();
            for (const ClientEnd& end : clients) next = earlier(next, end.client.poll_timeout());
            if (!next || *next > until) break;
            REQUIRE(*next >= now);
            now = *next;
            wake();
        }
        now = until;
    }

    void wake() {
        server.handle_timeout(now);
        for (ClientEnd& end : clients) end.client.handle_timeout(now);
        run();
    }

    void relay(const std::optional<Relayed>& relayed) {
        if (!relayed) return;
        if (const auto* peer = std::get_if<ToPeer>(&*relayed)) {
            at_peers.push_back({.path = {.local = open.at(peer->relay), .remote = peer->peer},
                                .payload = to_text(peer->payload),
                                .fragmentation = peer->fragmentation});
        } else {
            const auto& message = std::get<ToClient>(*relayed);
            deliver(message.flow, concatenate(message));
        }
    }

    // A peer sends to a relayed address.
    void from_peer(const SocketAddress& peer, const SocketAddress& relayed, std::string_view text) {
        for (const auto& [id, at] : open) {
            if (at != relayed) continue;
            const auto message = server.handle_peer(now, id, peer, as_bytes(text));
            if (message) deliver(message->flow, concatenate(*message));
        }
    }

    void deliver(const ClientFlow& flow, const Bytes& message) {
        last_to_client = message;
        for (ClientEnd& end : clients) {
            if (end.flow != flow) continue;
            const auto data = end.client.handle_message(now, message);
            if (data) end.received.emplace_back(data->peer, to_text(data->payload));
        }
    }

    RelayId id_of(const SocketAddress& relayed) const {
        for (const auto& [id, at] : open) {
            if (at == relayed) return id;
        }
        FAIL("no such relay");
        return {};
    }

    struct AtPeer {
        Path path;
        std::string payload;
        Fragmentation fragmentation;
    };
    enum class Driver : std::uint8_t { Opens, Fails, FailsV6, Ignores };

private:
    crypto::RandomStream random_;

public:
    Instant now = start;
    Server server;
    std::deque<ClientEnd> clients;
    std::map<RelayId, SocketAddress> open;
    std::vector<RelayWanted> wanted;
    std::vector<RelayId> closed;
    std::vector<AtPeer> at_peers;
    Bytes last_to_client;
    Driver driver = Driver::Opens;
    std::uint16_t next_port = relay_v4.port.value;
    std::size_t requests = 0;
    std::size_t answers = 0;
    std::function<bool()> lose_to_server;
    std::function<bool()> lose_to_client;
    // What the server told, but for relays wanted and closed.
    std::vector<Server::Event> told;
    enum class Peers : std::uint8_t { Answer, Refuse, Ignore };
    Peers peers = Peers::Answer;  // when a TCP relay connects to them

    template <class Kind>
    std::vector<Kind> all() const {
        std::vector<Kind> found;
        for (const auto& event : told) {
            if (const auto* each = std::get_if<Kind>(&event)) found.push_back(*each);
        }
        return found;
    }

private:
    void handle(const Server::Event& event) {
        if (const auto* wish = std::get_if<RelayWanted>(&event)) {
            wanted.push_back(*wish);
            if (driver == Driver::Ignores) return;
            const bool v6 = wish->family == AddressFamily::V6;
            if (driver == Driver::Fails || (driver == Driver::FailsV6 && v6)) {
                return server.handle_relay_failed(now, wish->relay);
            }
            if (wish->rule != PortRule::Any && next_port % 2 != 0) ++next_port;
            const SocketAddress at{.ip = v6 ? ip("2a00::1") : relay_v4.ip, .port = {next_port++}};
            open[wish->relay] = at;
            if (wish->next) open[*wish->next] = {.ip = at.ip, .port = {next_port++}};
            server.handle_relay_opened(now, wish->relay, at);
        } else if (const auto* gone = std::get_if<RelayClosed>(&event)) {
            closed.push_back(gone->relay);
            CHECK((open.erase(gone->relay) == 1 || driver == Driver::Ignores));
        } else {
            told.push_back(event);
            const auto* connect = std::get_if<ConnectionWanted>(&event);
            if (connect == nullptr || peers == Peers::Ignore) return;
            if (peers == Peers::Answer) {
                server.handle_connection_opened(now, connect->connection);
            } else {
                server.handle_connection_failed(now, connect->connection,
                                                ConnectionFailure::PeerUnreachable);
            }
        }
    }
};

// A client that says what it is told to, for what Client never says.
class RawClient {
public:
    explicit RawClient(World& world, std::string username = "alice",
                       std::string password = "secret",
                       std::string_view from = "198.51.100.9:40000")
        : world_(world),
          flow{.local = server_address, .remote = address(from)},
          authentication_({.username = std::move(username), .password = std::move(password)}) {}

    RawClient(World& world, stun::LongTermClient::Credentials credentials)
        : world_(world),
          flow{.local = server_address, .remote = address("198.51.100.9:40000")},
          authentication_(std::move(credentials)) {}

    // Sends the request that `fill` completes, answering challenges, and returns the last answer.
    template <class Fill>
    stun::MessageView ask(stun::Method method, Fill&& fill) {
        for (int attempt = 0;; ++attempt) {
            stun::MessageBuilder builder{stun::Class::Request, method,
                                         stun::TransactionId::random(random_)};
            fill(builder);
            authentication_.authenticate(builder);
            request_ = builder.finish();
            const auto answer = send(request_);
            REQUIRE(answer);
            using Outcome = stun::LongTermClient::Outcome;
            const auto request = stun::MessageView::parse(request_);
            const Outcome outcome = authentication_.handle_response(*request, *answer);
            if (outcome != Outcome::Retry || attempt == 3) return *answer;
        }
    }
    stun::MessageView ask(stun::Method method) {
        return ask(method, [](stun::MessageBuilder&) {});
    }
    template <class Fill>
    unsigned code(stun::Method method, Fill&& fill) {
        return code_of(ask(method, std::forward<Fill>(fill)));
    }
    static unsigned code_of(const stun::MessageView& answer) {
        if (answer.message_class() == stun::Class::SuccessResponse) return 0;
        return answer.get<stun::ErrorCode>().value().code;
    }
    unsigned allocate() {
        return code(stun::Method::Allocate,
                    [](stun::MessageBuilder& b) { b.add(stun::RequestedTransport{}); });
    }
    unsigned permit(const SocketAddress& peer) {
        return code(stun::Method::CreatePermission,
                    [&](stun::MessageBuilder& b) { b.add(stun::XorPeerAddress{peer}); });
    }
    unsigned bind(std::uint16_t number, const SocketAddress& peer) {
        return code(stun::Method::ChannelBind, [&](stun::MessageBuilder& b) {
            b.add(stun::ChannelNumberAttribute{number}).add(stun::XorPeerAddress{peer});
        });
    }
    // The answer lives until the next call.
    std::optional<stun::MessageView> send(BytesView message) {
        const auto relayed = world_.server.handle_client(world_.now, flow, message);
        world_.relay(relayed);
        answer_.clear();
        for (bool busy = true; busy;) {
            busy = false;
            world_.run_events();
            while (const auto transmit = world_.server.poll_transmit()) {
                busy = true;
                if (transmit->flow == flow) {
                    answer_ = to_bytes(transmit->message);
                    trust = transmit->trust;
                }
            }
        }
        if (answer_.empty()) return std::nullopt;
        return stun::MessageView::parse(answer_).value();
    }
    // ChannelData to the peer of the channel.
    void send_on(std::uint16_t number, std::string_view text) {
        Bytes message = to_bytes(channel_header({number}, text.size()));
        const BytesView payload = as_bytes(text);
        message.insert(message.end(), payload.begin(), payload.end());
        world_.relay(world_.server.handle_client(world_.now, flow, message));
    }
    void send_indication(const SocketAddress& peer, std::string_view text) {
        stun::MessageBuilder builder{stun::Class::Indication, stun::Method::Send, {}};
        builder.add(stun::XorPeerAddress{peer}).add(stun::Data{as_bytes(text)});
        const Bytes message = builder.finish();
        world_.relay(world_.server.handle_client(world_.now, flow, message));
    }
    const Bytes& last_request() const { return request_; }
    const Bytes& last_answer() const { return answer_; }

private:
    World& world_;

public:
    ClientFlow flow;
    Server::Trust trust = Server::Trust::Unauthenticated;

private:
    stun::LongTermClient authentication_;
    crypto::RandomStream random_{crypto::seed_from_number(99)};
    Bytes request_;
    Bytes answer_;
};

}  // namespace stile::turn::test
