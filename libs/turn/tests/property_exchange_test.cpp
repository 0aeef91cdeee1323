// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Our client against our server over a network that loses, doubles, delays and reorders, for an
// hour of virtual time a seed, under the same oracle; and what a client must hold of the RFCs by
// itself. A failure names the seed. More seeds than the default: STILE_SEEDS=N.
#include "judged_server.hpp"

namespace stile::turn::test {
namespace {

using stun::Class;
using stun::Method;

const SocketAddress peers[] = {address("8.8.8.8:9000"), address("8.8.8.8:9001"),
                               address("9.9.9.9:7"), address("9.9.9.8:7")};

// Answers take this long at most: seven requests, of which the last was answered.
constexpr Duration most_round_trip = 40s;

struct Actor {
    Client client;
    ClientFlow flow;
    std::string user;
    Instant to_server;  // streams keep the order
    Instant to_client;
    std::vector<Client::Event> events;
    std::set<IpAddress> wanted;  // asked for, and not forgotten since
    std::set<SocketAddress> wanted_channels;
    std::set<IpAddress> permitted;  // of those, what was told to be there
    std::set<SocketAddress> bound;
    enum class Wish : std::uint8_t { Stays, Leaves };
    Wish wish = Wish::Stays;
    // Which peer a number was for, and until when, as the server saw it.
    std::map<std::uint16_t, Oracle::Channel> numbers;

    template <class Kind>
    std::size_t count() const {
        std::size_t found = 0;
        for (const auto& event : events) found += std::holds_alternative<Kind>(event) ? 1U : 0U;
        return found;
    }
};

class Network {
public:
    explicit Network(std::uint64_t seed) : judged{seed}, random{judged.random.fork()} {
        const ClientTransport transports[] = {ClientTransport::Udp, ClientTransport::Dtls,
                                              ClientTransport::Tcp};
        for (std::uint16_t i = 0; i < 3; ++i) {
            auto config = client_config();
            config.transport = transports[i];
            if (i == 1) {
                config.username = "bob";
                config.password = "hidden";
            }
            if (random.below(2) == 0) config.lifetime = std::chrono::seconds{random.below(3000)};
            actors.push_back({.client = Client{judged.now, config, random.fork()},
                              .flow = {.local = server_address,
                                       .remote = {.ip = ip("198.51.100.7"),
                                                  .port = {static_cast<std::uint16_t>(40000 + i)}},
                                       .transport = transports[i]},
                              .user = config.username});
        }
    }

    void run(Duration duration) {
        const Instant end = judged.now + duration;
        Instant next_command = judged.now;
        collect();
        while (judged.now < end) {
            std::optional<Instant> next = earlier(judged.next(), next_command);
            if (!wire.empty()) next = earlier(next, wire.begin()->first);
            for (const Actor& actor : actors) next = earlier(next, actor.client.poll_timeout());
            REQUIRE(*next >= judged.now);
            judged.advance_to(std::min(*next, end));
            if (judged.now == next_command) {
                command();
                next_command += std::chrono::milliseconds{random.below(20'000)} + 1ms;
            }
            while (!wire.empty() && wire.begin()->first <= judged.now) {
                const auto packet = std::move(wire.begin()->second);
                wire.erase(wire.begin());
                arrive(packet);
            }
            for (Actor& actor : actors) {
                const auto due = actor.client.poll_timeout();
                if (due && *due <= judged.now) {
                    actor.client.handle_timeout(judged.now);
                    const auto later = actor.client.poll_timeout();
                    REQUIRE((!later || *later > judged.now));
                }
            }
            collect();
            check_beliefs();
        }
    }

    std::vector<Actor>& all() { return actors; }
    std::size_t delivered = 0;

private:
    struct Packet {
        std::size_t actor = 0;
        enum class To : std::uint8_t { Server, Client };
        To to = To::Server;
        Bytes message;
    };

    void post(std::size_t which, Packet::To to, Bytes message) {
        Actor& actor = actors[which];
        Instant& last = to == Packet::To::Server ? actor.to_server : actor.to_client;
        const Packet packet{.actor = which, .to = to, .message = std::move(message)};
        const auto delay = std::chrono::microseconds{1000 + random.below(300'000)};
        if (is_stream(actor.flow.transport)) {
            last = std::max(last + 1us, judged.now + delay);
            wire.emplace(last, packet);
            return;
        }
        if (random.below(100) < 12) return;
        wire.emplace(judged.now + delay, packet);
        if (random.below(100) < 8) {
            wire.emplace(judged.now + delay + std::chrono::milliseconds{random.below(2000)},
                         packet);
        }
    }
    void carry(JudgedServer::Output output) {
        for (auto& [flow, message] : output.to_clients) {
            for (std::size_t i = 0; i < actors.size(); ++i) {
                if (actors[i].flow == flow) post(i, Packet::To::Client, std::move(message));
            }
        }
        for (const auto& datagram : output.at_peers) {
            CHECK(sent.contains(datagram.payload));
        }
    }
    void arrive(const Packet& packet) {
        Actor& actor = actors[packet.actor];
        if (packet.to == Packet::To::Server) {
            check_number(actor, packet.message);
            carry(judged.from_client(actor.flow, actor.user, packet.message));
            return;
        }
        const auto data = actor.client.handle_message(judged.now, packet.message);
        if (!data) return;
        ++delivered;
        CHECK(sent.contains(to_text(data->payload)));
        CHECK(sent.at(to_text(data->payload)) == data->peer);
    }
    void collect() {
        for (std::size_t i = 0; i < actors.size(); ++i) {
            Actor& actor = actors[i];
            while (const auto message = actor.client.poll_transmit()) {
                post(i, Packet::To::Server, to_bytes(*message));
            }
            while (const auto event = actor.client.poll_event()) note(actor, *event);
        }
    }
    void note(Actor& actor, const Client::Event& event) {
        actor.events.push_back(event);
        if (const auto* permitted = std::get_if<Client::PermissionInstalled>(&event)) {
            if (actor.wanted.contains(permitted->peer)) actor.permitted.insert(permitted->peer);
        } else if (const auto* bound = std::get_if<Client::ChannelBound>(&event)) {
            if (actor.wanted_channels.contains(bound->peer)) actor.bound.insert(bound->peer);
        } else if (const auto* denied = std::get_if<Client::PermissionFailed>(&event)) {
            actor.permitted.erase(denied->peer);
        } else if (const auto* unbound = std::get_if<Client::ChannelFailed>(&event)) {
            actor.bound.erase(unbound->peer);
        } else if (std::holds_alternative<Client::Released>(event) ||
                   std::holds_alternative<Client::Failed>(event)) {
            actor.permitted.clear();
            actor.bound.clear();
        }
    }

    void command() {
        Actor& actor = actors[random.below(actors.size())];
        const auto peer = peers[random.below(std::size(peers))];
        const auto relayed = actor.client.relayed();
        switch (random.below(12)) {
            case 0:
            case 1:
                actor.wanted.insert(peer.ip);
                actor.client.permit(judged.now, peer.ip);
                return;
            case 2:
            case 3:
                actor.wanted_channels.insert(peer);
                actor.client.bind_channel(judged.now, peer);
                return;
            case 4:
                actor.client.forget(peer.ip);
                actor.wanted.erase(peer.ip);
                actor.permitted.erase(peer.ip);
                std::erase_if(actor.wanted_channels,
                              [&](const auto& each) { return each.ip == peer.ip; });
                std::erase_if(actor.bound, [&](const auto& each) { return each.ip == peer.ip; });
                return;
            case 5:
                if (random.below(20) != 0) return;
                actor.wish = Actor::Wish::Leaves;
                actor.client.release(judged.now);
                return;
            case 6:
            case 7:
            case 8: {
                const auto text = next_text();
                if (relayed.empty()) return;
                sent[text] = relayed.front();
                actor.client.send(judged.now, peer, as_bytes(text));
                return;
            }
            default: {
                const auto text = next_text();
                if (relayed.empty()) return;
                sent[text] = peer;
                carry(judged.from_peer(peer, relayed.front(), text));
                return;
            }
        }
    }
    std::string next_text() { return "payload " + std::to_string(++texts); }

    // The oracle forgets what has expired.
    static void remember_numbers(Actor& actor, const Oracle::Allocation& allocation) {
        for (const auto& [number, channel] : allocation.channels) actor.numbers[number] = channel;
    }
    // RFC 8656 Section 12: a number is for another peer only five minutes after it has expired.
    void check_number(Actor& actor, BytesView message) {
        if (const auto* allocation = judged.oracle.find(actor.flow)) {
            remember_numbers(actor, *allocation);
        }
        const auto request = stun::MessageView::parse(message);
        if (!request || request->message_class() != Class::Request ||
            request->method() != Method::ChannelBind) {
            return;
        }
        const auto number = request->get<stun::ChannelNumberAttribute>().value().number;
        const auto peer = request->get<stun::XorPeerAddress>().value().address;
        const auto known = actor.numbers.find(number);
        if (known == actor.numbers.end() || known->second.peer == peer) return;
        CHECK(judged.now >= known->second.until + 300s - most_round_trip);
    }

    // What a client takes for granted, the server grants. The client's clock begins later, by the
    // way of the answer.
    void check_beliefs() {
        for (Actor& actor : actors) {
            const auto* there = judged.oracle.find(actor.flow);
            if (there != nullptr) remember_numbers(actor, *there);
            if (actor.client.relayed().empty()) continue;
            REQUIRE((there != nullptr || actor.wish == Actor::Wish::Leaves));
            if (there == nullptr || actor.wish == Actor::Wish::Leaves) continue;
            CHECK(actor.client.relayed().front() == there->relayed);
            for (const SocketAddress& peer : peers) {
                const auto number = actor.client.channel_of(judged.now, peer);
                if (!number) continue;
                const auto channel = actor.numbers.find(number->value);
                REQUIRE(channel != actor.numbers.end());
                CHECK(channel->second.peer == peer);
                CHECK(judged.now <= channel->second.until + most_round_trip);
            }
            // What was installed and not forgotten never lapses.
            for (const IpAddress& peer : actor.permitted) {
                const auto permission = there->permissions.find(peer);
                REQUIRE(permission != there->permissions.end());
                CHECK(judged.now < permission->second);
            }
            for (const SocketAddress& peer : actor.bound) {
                CHECK(actor.client.channel_of(judged.now, peer));
            }
        }
    }

public:
    JudgedServer judged;

private:
    crypto::RandomStream random;
    std::vector<Actor> actors;
    std::multimap<Instant, Packet> wire;
    std::map<std::string, SocketAddress> sent;  // payload, and who it came from
    std::uint64_t texts = 0;
};

TEST_CASE("turn properties: a client keeps what it has through loss, doubles and reordering") {
    std::size_t delivered = 0;
    const std::uint64_t lives = seeds(200);
    for (std::uint64_t seed = 1; seed <= lives; ++seed) {
        CAPTURE(seed);
        Network network{seed};
        network.run(1h);
        for (Actor& actor : network.all()) {
            CHECK(actor.count<Client::Failed>() == 0);
            CHECK(actor.count<Client::Expired>() == 0);
            // Seven requests in a row are hardly ever lost.
            CHECK(actor.count<Client::PermissionFailed>() <= 1);
            CHECK(actor.count<Client::ChannelFailed>() <= 1);
            const bool left = actor.wish == Actor::Wish::Leaves;
            // Who leaves at once is never told.
            CHECK(actor.count<Client::Allocated>() <= 1);
            if (!left) CHECK(actor.count<Client::Allocated>() == 1);
            CHECK(actor.count<Client::Released>() == (left ? 1 : 0));
        }
        // Everybody leaves; nothing stays at the server.
        for (Actor& actor : network.all()) {
            actor.wish = Actor::Wish::Leaves;
            actor.client.release(network.judged.now);
        }
        network.run(2h);
        CHECK(network.judged.server.allocations() == 0);
        CHECK_FALSE(network.judged.server.poll_timeout());
        delivered += network.delivered;
    }
    CHECK(delivered > 10 * lives);
}

}  // namespace
}  // namespace stile::turn::test
