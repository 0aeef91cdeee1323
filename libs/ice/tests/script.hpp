// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network.hpp"

#include <stile/ice/connectivity_check.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/message_builder.hpp>

#include <array>

namespace stile::ice::testing {

// An agent whose peer is the test: it knows both sides' credentials and says what it likes.
struct Script {
    Agent agent;
    Credentials mine{"peer", "peerpasswordpeerpassword"};
    stun::IntegrityKey my_key = stun::IntegrityKey::short_term(mine.password);
    Instant now = start;
    SocketAddress local = at("192.0.2.1:1");
    SocketAddress remote = at("203.0.113.1:1");
    std::vector<Event> events;
    std::uint8_t last_id = 0;

    struct Received {
        Path path;  // the agent's
        Bytes wire;
        CheckContent content;
    };
    struct Reply {
        stun::Class message_class;
        std::uint16_t code;
        Path path;
    };
    std::vector<Reply> replies;  // to our requests

    explicit Script(AgentConfig config = {}, std::uint64_t seed = 4)
        : agent(start, config, random_from(seed)) {
        REQUIRE(agent.add_local_candidate(now, host_candidate(local)));
    }

    stun::IntegrityKey agent_key() const {
        return stun::IntegrityKey::short_term(agent.local_credentials().password);
    }
    std::string username() const {
        return agent.local_credentials().fragment + ":" + mine.fragment;
    }

    void connect() {
        REQUIRE(agent.set_remote_credentials(now, mine));
        add_remote(remote.to_string(), 1000);
    }
    void add_remote(const std::string& address, std::uint32_t priority) {
        REQUIRE(agent.add_remote_candidate(
            now, {.address = at(address), .priority = priority, .foundation = address}));
    }

    // Fetches what the agent has to say; its requests.
    std::vector<Received> collect() {
        std::vector<Received> requests;
        while (const auto transmit = agent.poll_transmit()) {
            const auto message = stun::MessageView::parse(transmit->payload);
            REQUIRE(message);
            if (message->message_class() == stun::Class::Request) {
                const auto content = read_check(*message);
                REQUIRE(content);
                requests.push_back({transmit->path, to_bytes(transmit->payload), *content});
            } else {
                const auto error = message->get<stun::ErrorCode>();
                replies.push_back({message->message_class(), error ? error->code : std::uint16_t{0},
                                   transmit->path});
            }
        }
        while (auto event = agent.poll_event()) events.push_back(*std::move(event));
        return requests;
    }

    // The next check within a second; nothing where there is none.
    std::optional<Received> next_request() {
        for (const Instant end = now + 1s;;) {
            auto requests = collect();
            if (!requests.empty()) return requests.front();
            const auto next = agent.poll_timeout();
            if (!next || *next > end) return std::nullopt;
            now = std::max(now, *next);
            agent.handle_timeout(now);
        }
    }

    Verdict send(const Path& path, BytesView wire) {
        const auto verdict = agent.handle_datagram(now, path, wire);
        return verdict;
    }
    Verdict request(const Path& path, const CheckContent& content) {
        return send(path, build_check({.octets = {std::byte{++last_id}}}, username(), content,
                                      agent_key()));
    }
    void accept(const Received& request) {
        const auto message = stun::MessageView::parse(request.wire);
        send(request.path, build_success(*message, request.path.local, my_key));
    }
    void refuse(const Received& request, const stun::ErrorCode& error) {
        const auto message = stun::MessageView::parse(request.wire);
        send(request.path, build_error(*message, error, my_key));
    }
    // Answers every check, at once.
    void answer_for(Duration duration) {
        for (const Instant end = now + duration;;) {
            for (const Received& received : collect()) accept(received);
            collect();
            const auto next = agent.poll_timeout();
            if (!next || *next > end) {
                now = end;
                return;
            }
            now = std::max(now, *next);
            agent.handle_timeout(now);
        }
    }
    // Answers none.
    void ignore_for(Duration duration) {
        for (const Instant end = now + duration;;) {
            collect();
            const auto next = agent.poll_timeout();
            if (!next || *next > end) {
                now = end;
                return;
            }
            now = std::max(now, *next);
            agent.handle_timeout(now);
        }
    }
    template <class E>
    std::vector<E> all() const {
        std::vector<E> found;
        for (const Event& event : events) {
            if (const auto* one = std::get_if<E>(&event)) found.push_back(*one);
        }
        return found;
    }
};

}  // namespace stile::ice::testing
