// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/quic/connection.hpp>

#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace stile::quic {

using namespace std::chrono_literals;

// A peer's key and certificate, the same for the same number.
struct Person {
    crypto::PrivateKey key;
    crypto::Certificate certificate;

    explicit Person(std::uint64_t number)
        : Person(crypto::RandomStream{crypto::seed_from_number(number)}) {}
    identity::Fingerprint fingerprint() const { return identity::Fingerprint::of(certificate); }
    Credentials credentials(const Person& expected) const {
        return {.key = key, .chain = {certificate}, .expected = {expected.fingerprint()}};
    }

private:
    explicit Person(crypto::RandomStream random)
        : key(crypto::PrivateKey::from_entropy(random.array<48>())),
          certificate(crypto::make_self_signed(
              key, {.names = {.common_name = "peer"}, .serial = random.array<16>()})) {}
};

inline const Person& alice() {
    static const Person person{1};
    return person;
}
inline const Person& bob() {
    static const Person person{2};
    return person;
}

struct Link {
    Duration delay = 10ms;  // each way
    Duration jitter{};      // up to so much more, a datagram: reorders
    unsigned loss_per_mille = 0;
    std::size_t most_octets = 65'535;  // longer datagrams vanish
};

struct PairConfig {
    Config client{.credentials = alice().credentials(bob()), .initial_rtt = 20ms};
    Config server{.credentials = bob().credentials(alice()), .initial_rtt = 20ms};
    Link link;
    std::uint64_t seed = 1;
};

// A client and a server with links between and virtual time. The server begins with the client's
// first packet. What either is told is kept, and handed to its application when one is set.
class Pair {
public:
    struct Side {
        std::optional<Connection> connection;
        std::vector<Event> events;
        std::function<void(Event&)> application;
        std::size_t way = 0;  // the link that its datagrams take
        std::size_t datagrams = 0;
        std::size_t without_quic_bit = 0;

        template <class T>
        const T* find() const {
            for (const Event& event : events) {
                if (const T* found = std::get_if<T>(&event)) return found;
            }
            return nullptr;
        }
        template <class T>
        std::size_t count() const {
            std::size_t n = 0;
            for (const Event& event : events) n += std::holds_alternative<T>(event) ? 1U : 0U;
            return n;
        }
    };

    explicit Pair(PairConfig config)
        : ways{config.link},
          config_(std::move(config)),
          dice_(crypto::seed_from_number(config_.seed)) {
        client.connection.emplace(now, config_.client, dice_.fork());
    }

    // Runs until nothing more happens before `until`.
    void run_until(Instant until) {
        for (;;) {
            drain(client, server_inbox_);
            if (server.connection) drain(server, client_inbox_);
            const auto next = next_time();
            if (!next || *next > until) {
                now = until;
                return;
            }
            now = std::max(now, *next);
            deliver();
            wake(client);
            wake(server);
        }
    }
    void run_for(Duration duration) { run_until(now + duration); }
    // True when the condition holds within the time.
    bool run_until(const std::function<bool()>& condition, Duration most = 60s) {
        const Instant until = now + most;
        while (!condition()) {
            if (now >= until) return false;
            run_until(std::min(until, now + 1ms));
        }
        return true;
    }
    bool connect() {
        return run_until([this] { return client.count<event::Confirmed>() == 1; }, 30s);
    }

    // A side takes another link, and its connection is told.
    void change_way(Side& side, std::size_t way) {
        side.way = way;
        side.connection->change_path(now, 2 * ways[way].delay);
    }
    void change_ways(std::size_t way) {
        change_way(client, way);
        change_way(server, way);
    }

    Link& link() { return ways.front(); }
    std::vector<Link> ways;  // the first is that of the configuration
    Instant now{};
    Side client;
    Side server;
    std::optional<bool> drop_all;  // set: nothing arrives any more

private:
    struct Datagram {
        Bytes octets;
        Ecn ecn;
    };
    using Inbox = std::multimap<Instant, Datagram>;

    void drain(Side& side, Inbox& inbox) {
        for (;;) {
            if (const auto batch = side.connection->poll_transmit(now)) {
                send(side, *batch, inbox);
            } else if (auto event = side.connection->poll_event()) {
                side.events.push_back(*event);
                if (side.application) side.application(side.events.back());
            } else {
                return;
            }
        }
    }
    void send(Side& side, const Batch& batch, Inbox& inbox) {
        for (BytesView rest = batch.payload; !rest.empty();) {
            const BytesView one = rest.first(std::min(rest.size(), batch.segment_octets));
            rest = rest.subspan(one.size());
            ++side.datagrams;
            if ((one.front() & std::byte{0x40}) == std::byte{0}) ++side.without_quic_bit;
            const Link& way = ways[side.way];
            const bool lost =
                dice_.below(1000) < way.loss_per_mille || one.size() > way.most_octets;
            const auto jitter = Duration{static_cast<Duration::rep>(
                dice_.below(static_cast<std::uint64_t>(way.jitter.count()) + 1))};
            if (lost || drop_all) continue;
            inbox.emplace(now + way.delay + jitter,
                          Datagram{.octets = to_bytes(one), .ecn = batch.ecn});
        }
    }
    std::optional<Instant> next_time() const {
        std::optional<Instant> next;
        const auto consider = [&](std::optional<Instant> time) {
            if (time && (!next || *time < *next)) next = time;
        };
        if (!client_inbox_.empty()) consider(client_inbox_.begin()->first);
        if (!server_inbox_.empty()) consider(server_inbox_.begin()->first);
        consider(client.connection->poll_timeout());
        if (server.connection) consider(server.connection->poll_timeout());
        return next;
    }
    void deliver() {
        while (!server_inbox_.empty() && server_inbox_.begin()->first <= now) {
            const Datagram datagram =
                std::move(server_inbox_.extract(server_inbox_.begin()).mapped());
            if (!server.connection) {
                const auto initial = read_initial(datagram.octets);
                if (!initial) continue;
                server.connection.emplace(now, config_.server, *initial, dice_.fork());
            }
            server.connection->handle_datagram(now, datagram.octets, datagram.ecn);
        }
        while (!client_inbox_.empty() && client_inbox_.begin()->first <= now) {
            const Datagram datagram =
                std::move(client_inbox_.extract(client_inbox_.begin()).mapped());
            client.connection->handle_datagram(now, datagram.octets, datagram.ecn);
        }
    }
    void wake(Side& side) const {
        if (!side.connection) return;
        const auto due = side.connection->poll_timeout();
        if (due && *due <= now) side.connection->handle_timeout(now);
    }

    PairConfig config_;
    crypto::RandomStream dice_;
    Inbox client_inbox_;
    Inbox server_inbox_;
};

// The octet at a place of every body that is sent here.
inline std::byte body_octet(std::size_t at) {
    return static_cast<std::byte>((at * 2'654'435'761U >> 13U) & 0xFFU);
}

// Answers GET /N with N octets, as fast as it may.
class BodyServer {
public:
    explicit BodyServer(Pair& pair) : pair_(pair) {
        pair.server.application = [this](Event& event) { handle(event); };
    }
    std::size_t most_pushed_at_once = 0;
    std::size_t chunk_octets = 100'000;

private:
    void handle(Event& event) {
        if (const auto* request = std::get_if<event::RequestReceived>(&event)) {
            const std::size_t size = std::stoul(request->head.path.substr(1));
            const ResponseHead head{.status = 200,
                                    .fields = {{"content-length", std::to_string(size)}}};
            if (connection().respond(request->stream, head, size == 0 ? More::No : More::Yes) !=
                SendResult::Taken) {
                return;
            }
            if (size > 0) {
                left_[request->stream] = {0, size};
                push(request->stream);
            }
        } else if (const auto* writable = std::get_if<event::BodyWritable>(&event)) {
            push(writable->stream);
        }
    }
    void push(StreamId stream) {
        auto& [at, size] = left_[stream];
        std::size_t pushed = 0;
        while (at < size) {
            Bytes chunk(std::min(size - at, chunk_octets));
            for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = body_octet(at + i);
            const std::size_t octets = chunk.size();
            if (connection().push_body(stream, std::move(chunk)) != SendResult::Taken) break;
            at += octets;
            pushed += octets;
        }
        most_pushed_at_once = std::max(most_pushed_at_once, pushed);
        if (at == size) {
            (void)connection().end_body(stream);
            left_.erase(stream);
        }
    }
    Connection& connection() { return *pair_.server.connection; }

    Pair& pair_;
    std::map<StreamId, std::pair<std::size_t, std::size_t>> left_;
};

// Reads responses as they come and checks every octet.
class BodyClient {
public:
    explicit BodyClient(Pair& pair) : pair_(pair) {
        pair.client.application = [this](Event& event) { handle(event); };
    }
    std::optional<StreamId> get(std::size_t size) {
        const auto id = connection().request({.method = "GET",
                                              .scheme = "https",
                                              .authority = "bob.example.org",
                                              .path = "/" + std::to_string(size)},
                                             More::No);
        if (!id) return std::nullopt;
        return *id;
    }
    void read(StreamId stream) {
        const BytesView octets = connection().body(stream);
        std::size_t& at = received[stream];
        for (std::size_t i = 0; i < octets.size(); ++i) {
            if (octets[i] != body_octet(at + i)) ++wrong;
        }
        at += octets.size();
        connection().consume(stream, octets.size());
    }

    std::map<StreamId, std::size_t> received;
    std::size_t wrong = 0;
    std::size_t ended = 0;
    std::size_t closed = 0;
    bool reading = true;

private:
    void handle(Event& event) {
        if (const auto* body = std::get_if<event::BodyReceived>(&event)) {
            if (reading) read(body->stream);
        } else if (std::holds_alternative<event::StreamEnded>(event)) {
            ++ended;
        } else if (std::holds_alternative<event::StreamClosed>(event)) {
            ++closed;
        }
    }
    Connection& connection() { return *pair_.client.connection; }

    Pair& pair_;
};

}  // namespace stile::quic
