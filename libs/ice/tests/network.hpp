// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "streams.hpp"

#include <stile/base/drain.hpp>

// A small deterministic network for tests: hosts, NATs, relays, streams, delay and a drop rule.
namespace stile::ice::testing {

class Network : public Wire {
public:
    std::function<bool(const Packet&)> drops = [](const Packet&) { return false; };
    std::vector<Packet> log;  // all that was sent, dropped ones too
    Pacer* shared_pacer = nullptr;

    Streams streams{*this};

    void join(Peer& peer) { peers.push_back(&peer); }

    void run_until(Instant end) {
        for (;;) {
            std::optional<Instant> next;
            for (Peer* peer : peers) next = earlier(next, flush(*peer));
            if (!flying.empty()) next = earlier(next, flying.begin()->first);
            if (!next || *next > end) break;
            now = std::max(now, *next);
            deliver_due();
            for (Peer* peer : peers) wake(*peer);
            STILE_ASSERT(++steps_ < 1'000'000);
        }
        now = std::max(now, end);
    }
    void run_for(Duration duration) { run_until(now + duration); }

    void inject(Peer& to, const Path& path, BytesView payload) {
        to.agent.handle_datagram(now, path, payload);
        flush(to);
    }

private:
    std::optional<Instant> flush(Peer& peer) {
        return drain(
            peer.agent,
            [&](const AgentTransmit& transmit) {
                log.push_back({.when = now,
                               .sender = &peer,
                               .from = transmit.path.local,
                               .to = transmit.path.remote,
                               .payload = to_bytes(transmit.payload),
                               .connection = transmit.connection});
                if (!transmit.connection) {
                    route(log.back());
                } else if (!drops(log.back())) {
                    streams.send(peer, *transmit.connection, log.back().payload);
                }
            },
            [&](Event event) {
                peer.events.emplace_back(now, event);
                if (const auto* wanted = std::get_if<ConnectionWanted>(&event)) {
                    streams.open(peer, *wanted);
                } else if (const auto* released = std::get_if<ConnectionReleased>(&event)) {
                    streams.close(peer, released->id);
                }
            });
    }

    void wake(Peer& peer) {
        const auto due = peer.agent.poll_timeout();
        if (!due || *due > now) return;
        if (shared_pacer != nullptr) {
            peer.agent.handle_timeout(now, *shared_pacer);
        } else {
            peer.agent.handle_timeout(now);
        }
    }

    void route(Packet packet) {
        if (drops(packet)) return;
        Peer& sender = *packet.sender;
        const bool relayed = contains(sender.relays, packet.from);
        if (!relayed && sender.nat != nullptr) {
            for (Peer* peer : peers) {  // the same side of the same NAT
                if (peer->nat == sender.nat && contains(peer->sockets, packet.to)) {
                    return fly(*peer, {.local = packet.to, .remote = packet.from}, packet);
                }
            }
            packet.from = sender.nat->translate(packet.from, packet.to);
        }
        for (Peer* peer : peers) {
            if (contains(peer->relays, packet.to) ||
                (peer->nat == nullptr && contains(peer->sockets, packet.to))) {
                return fly(*peer, {.local = packet.to, .remote = packet.from}, packet);
            }
            if (peer->nat == nullptr || peer->nat->outside != packet.to.ip) continue;
            const auto inside = peer->nat->admit(packet.to, packet.from);
            if (inside && contains(peer->sockets, *inside)) {
                return fly(*peer, {.local = *inside, .remote = packet.from}, packet);
            }
        }
    }

    void fly(Peer& to, const Path& path, const Packet& packet) {
        later(delay, [this, peer = &to, path, payload = packet.payload] {
            peer->agent.handle_datagram(now, path, payload);
            flush(*peer);
        });
    }

    void deliver_due() {
        while (!flying.empty() && flying.begin()->first <= now) {
            const auto happening = std::move(flying.begin()->second);
            flying.erase(flying.begin());
            happening();
            for (Peer* peer : peers) flush(*peer);
        }
    }

    std::size_t steps_ = 0;
};

// Hands `from`'s parameters and candidates to `to`, as signalling would.
inline void signal(Instant now, const Peer& from, Peer& to) {
    REQUIRE(to.agent.set_remote_credentials(now, from.agent.local_credentials()));
    for (const Candidate& candidate : from.candidates) {
        REQUIRE(to.agent.add_remote_candidate(now, candidate));
    }
}

inline void end_candidates(Instant now, Peer& a, Peer& b) {
    for (Peer* peer : {&a, &b}) {
        peer->agent.end_of_local_candidates(now);
        peer->agent.end_of_remote_candidates(now);
    }
}

inline void exchange(Instant now, Peer& a, Peer& b) {
    signal(now, a, b);
    signal(now, b, a);
    end_candidates(now, a, b);
}

// Two hosts on the open Internet, ready for exchange().
struct TwoHosts {
    Network network;
    Peer left;
    Peer right;

    explicit TwoHosts(AgentConfig config = {}, std::uint64_t seed = 1)
        : left(config, seed), right(with_role(config, Role::Controlled), seed + 1000) {
        network.join(left);
        network.join(right);
        left.add_host(start, "192.0.2.1:1000");
        right.add_host(start, "203.0.113.1:2000");
    }
    static AgentConfig with_role(AgentConfig config, Role role) {
        config.role = role;
        return config;
    }
};

}  // namespace stile::ice::testing
