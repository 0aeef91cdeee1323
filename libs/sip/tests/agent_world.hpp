// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/user_agent.hpp>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace stile::sip::testing {

using namespace std::chrono_literals;

// Two user agents at the ends of one flow, under a virtual clock. Every message takes 10 ms, and
// one in `loss_one_in` is lost if that is not 0.
struct AgentWorld {
    struct Side {
        UserAgent agent;
        std::vector<UserAgent::Event> events = {};
        std::vector<std::string> sent = {};  // start lines
    };
    struct InFlight {
        bool to_bob;
        Bytes bytes;
    };

    static UserAgentConfig config(const std::string& name) {
        UserAgentConfig config;
        config.address = NameAddr::parse("<sip:" + name + "@example.org>").value();
        config.instance = "urn:uuid:00000000-0000-4000-8000-00000000000" + name.substr(0, 1);
        config.software = "test";
        config.methods = {"MESSAGE"};
        config.info_packages = {"trickle-ice", "other"};
        return config;
    }

    explicit AgentWorld(TransportKind transport = TransportKind::Tls, std::uint64_t seed = 1)
        : random(seed),
          alice{UserAgent{config("alice"), crypto::RandomStream{crypto::seed_from_number(seed)}}},
          bob{UserAgent{config("bob"), crypto::RandomStream{crypto::seed_from_number(seed + 1)}}} {
        open(transport);
    }

    void open(TransportKind transport) {
        Flow flow{.id = FlowId{1},
                  .transport = transport,
                  .remote = SocketAddress::parse("192.0.2.2:5061").value(),
                  .sent_by = {.host = Host::parse("192.0.2.1").value(), .port = Port{5061}}};
        alice.agent.handle_flow_opened(now, flow);
        flow.remote = SocketAddress::parse("192.0.2.1:5061").value();
        flow.sent_by.host = Host::parse("192.0.2.2").value();
        bob.agent.handle_flow_opened(now, flow);
    }

    void pump(Side& side) {
        while (auto out = side.agent.poll_transmit()) {
            const std::string text = to_text(out->bytes);
            side.sent.push_back(text.substr(0, text.find("\r\n")));
            if (drop_next > 0) {
                --drop_next;
                continue;
            }
            if (loss_one_in != 0 && random() % loss_one_in == 0) continue;
            network.emplace(now + 10ms, InFlight{&side == &alice, std::move(out->bytes)});
        }
        while (auto event = side.agent.poll_event()) side.events.push_back(*std::move(event));
    }

    void deliver(Side& side, Bytes bytes) {
        if (as_text(bytes) == "\r\n\r\n") {
            side.agent.handle_ping(now, FlowId{1});
            return;
        }
        if (as_text(bytes) == "\r\n") {
            side.agent.handle_pong(now, FlowId{1});
            return;
        }
        auto message = parse_message(std::move(bytes));
        if (message) side.agent.handle_message(now, FlowId{1}, *std::move(message));
    }

    // Lets time pass until nothing is left to do, or until the limit.
    void run(Duration limit = 1s) {
        const Instant end = now + limit;
        for (;;) {
            pump(alice);
            pump(bob);
            std::optional<Instant> next =
                earlier(alice.agent.poll_timeout(), bob.agent.poll_timeout());
            if (!network.empty()) next = earlier(next, network.begin()->first);
            if (!next || *next > end) break;
            now = std::max(now, *next);
            while (!network.empty() && network.begin()->first <= now) {
                InFlight message = std::move(network.begin()->second);
                network.erase(network.begin());
                deliver(message.to_bob ? bob : alice, std::move(message.bytes));
                pump(alice);
                pump(bob);
            }
            alice.agent.handle_timeout(now);
            bob.agent.handle_timeout(now);
        }
        now = end;
    }

    InviteRequest invite_bob() {
        return {.flow = FlowId{1},
                .target = Uri::parse("sip:bob@192.0.2.2").value(),
                .route = {},
                .headers = {{.name = "Subject", .value = "test"}},
                .body = Body{.type = "application/sdp", .octets = to_bytes("offer")}};
    }

    std::mt19937_64 random;
    Instant now{};
    Side alice;
    Side bob;
    std::multimap<Instant, InFlight> network;
    std::uint64_t loss_one_in = 0;
    int drop_next = 0;
};

// The first event of a call of that kind that has not been taken yet, removed from the list.
template <class Kind>
std::optional<std::pair<CallId, Kind>> take(AgentWorld::Side& side) {
    for (auto it = side.events.begin(); it != side.events.end(); ++it) {
        auto* call = std::get_if<UserAgent::CallEvent>(&*it);
        if (!call) continue;
        if (auto* kind = std::get_if<Kind>(&call->event)) {
            std::pair<CallId, Kind> found{call->call, std::move(*kind)};
            side.events.erase(it);
            return found;
        }
    }
    return std::nullopt;
}

inline std::size_t count_sent(const AgentWorld::Side& side, std::string_view start) {
    std::size_t count = 0;
    for (const std::string& line : side.sent) count += line.starts_with(start) ? 1U : 0U;
    return count;
}

}  // namespace stile::sip::testing
