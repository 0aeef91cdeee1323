// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/drain.hpp>
#include <stile/connect/connector.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <vector>

namespace stile::connect::test {

using namespace std::chrono_literals;

inline SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

inline crypto::RandomStream random(std::uint64_t seed = 1) {
    return crypto::RandomStream{crypto::seed_from_number(seed)};
}

struct Sent {
    Path path;
    Bytes octets;
    Instant when;
};

struct SentOnStream {
    StreamId stream;
    Bytes octets;
};

// A connector with a clock, and what came out of it.
struct Driven {
    Connector connector;
    Instant now{};
    std::vector<Sent> sent = {};
    std::vector<Event> events = {};
    std::vector<SentOnStream> written = {};
    std::vector<Bytes> taken = {};  // what came by streams

    explicit Driven(ConnectorConfig config, std::uint64_t seed = 1)
        : connector(Instant{}, std::move(config), random(seed)) {
        settle();
    }
    std::optional<Instant> settle() {
        const auto next = drain(
            connector,
            [&](const Transmit& out) { sent.push_back({out.path, to_bytes(out.payload), now}); },
            [&](Event event) { events.push_back(std::move(event)); });
        while (const auto out = connector.poll_stream_transmit()) {
            written.push_back({out->stream, to_bytes(out->octets)});
        }
        while (const auto data = connector.poll_received()) {
            taken.push_back(to_bytes(data->payload));
        }
        return next;
    }
    // Lets time pass; nothing arrives.
    void pass(Duration time) {
        const Instant end = now + time;
        for (auto next = settle(); next && *next <= end; next = settle()) {
            now = std::max(now, *next);
            connector.handle_timeout(now);
        }
        now = end;
    }
    std::optional<Received> receive(const Path& path, BytesView octets) {
        auto received = connector.handle_datagram(now, path, octets);
        settle();
        return received;
    }
    template <class Kind>
    std::size_t count() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            events, [](const Event& event) { return std::holds_alternative<Kind>(event); }));
    }
    template <class Kind>
    const Kind& last() const {
        const auto found = std::ranges::find_if(events.rbegin(), events.rend(), [](const Event& e) {
            return std::holds_alternative<Kind>(e);
        });
        REQUIRE(found != events.rend());
        return std::get<Kind>(*found);
    }
};

inline ConnectorConfig config_with(std::vector<std::string_view> hosts,
                                   std::vector<std::string_view> stun_servers = {},
                                   std::vector<std::string_view> turn_servers = {}) {
    ConnectorConfig config;
    for (const auto host : hosts) config.hosts.push_back(at(host));
    for (const auto server : stun_servers) config.stun_servers.push_back(at(server));
    for (const auto server : turn_servers) {
        config.turn_servers.push_back({at(server), "user", "password"});
    }
    return config;
}

// A network without NATs between two connectors: each hears the other at once.
inline void exchange(Driven& left, Driven& right, Duration time) {
    const Instant end = left.now + time;
    std::size_t left_taken = left.sent.size();
    std::size_t right_taken = right.sent.size();
    for (;;) {
        left.settle();
        right.settle();
        while (left_taken < left.sent.size() || right_taken < right.sent.size()) {
            for (; left_taken < left.sent.size(); ++left_taken) {
                const Sent sent = left.sent[left_taken];
                right.receive({sent.path.remote, sent.path.local}, sent.octets);
            }
            for (; right_taken < right.sent.size(); ++right_taken) {
                const Sent sent = right.sent[right_taken];
                left.receive({sent.path.remote, sent.path.local}, sent.octets);
            }
        }
        const auto wake = earlier(left.settle(), right.settle());
        if (!wake || *wake > end) break;
        left.now = right.now = std::max(left.now, *wake);
        left.connector.handle_timeout(left.now);
        right.connector.handle_timeout(right.now);
    }
    left.now = right.now = end;
}

}  // namespace stile::connect::test
