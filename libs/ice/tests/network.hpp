// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <stile/base/drain.hpp>
#include <stile/ice/agent.hpp>
#include <stile/stun/message_view.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

// A small deterministic network for tests: hosts, NATs, relays, delay and a drop rule.
namespace stile::ice::testing {

using namespace std::chrono_literals;

inline constexpr Instant start{Duration{1'000'000'000}};

inline SocketAddress at(std::string_view text) {
    const auto address = SocketAddress::parse(text);
    REQUIRE(address);
    return *address;
}

inline crypto::RandomStream random_from(std::uint64_t number) {
    return crypto::RandomStream{crypto::seed_from_number(number)};
}

// RFC 4787 Sections 4.1 and 5, as far as ICE can tell the kinds apart.
struct Nat {
    enum class Kind : std::uint8_t { EndpointIndependent, AddressAndPortDependent };
    IpAddress outside;
    Kind mapping = Kind::EndpointIndependent;
    Kind filtering = Kind::AddressAndPortDependent;

    struct Binding {
        SocketAddress inside;
        std::optional<SocketAddress> peer;  // of an endpoint-dependent mapping
        std::uint16_t port;
        std::vector<SocketAddress> contacted;
    };
    std::vector<Binding> bindings;
    std::uint16_t next_port = 40000;

    SocketAddress translate(const SocketAddress& inside, const SocketAddress& remote) {
        const auto peer =
            mapping == Kind::EndpointIndependent ? std::nullopt : std::optional{remote};
        auto found = std::find_if(bindings.begin(), bindings.end(), [&](const Binding& binding) {
            return binding.inside == inside && binding.peer == peer;
        });
        if (found == bindings.end()) {
            bindings.push_back({inside, peer, next_port++, {}});
            found = bindings.end() - 1;
        }
        found->contacted.push_back(remote);
        return {outside, Port{found->port}};
    }
    std::optional<SocketAddress> admit(const SocketAddress& to, const SocketAddress& from) const {
        for (const Binding& binding : bindings) {
            if (binding.port != to.port.value) continue;
            const bool is_known = std::find(binding.contacted.begin(), binding.contacted.end(),
                                            from) != binding.contacted.end();
            if (filtering == Kind::EndpointIndependent || is_known) return binding.inside;
        }
        return std::nullopt;
    }
};

struct Peer {
    explicit Peer(AgentConfig config, std::uint64_t seed, Instant now = start)
        : agent(now, config, random_from(seed)) {}

    Agent agent;
    Nat* nat = nullptr;
    std::vector<SocketAddress> sockets;
    std::vector<SocketAddress> relays;  // relayed addresses; what leaves from there is not NATed
    std::vector<Candidate> candidates;  // to be signalled
    std::vector<std::pair<Instant, Event>> events;

    void add(Instant now, const GatheredCandidate& gathered) {
        const auto candidate = agent.add_local_candidate(now, gathered);
        REQUIRE(candidate);
        candidates.push_back(*candidate);
    }
    void add_host(Instant now, std::string_view address, ComponentId component = {}) {
        sockets.push_back(at(address));
        add(now, host_candidate(at(address), component));
    }
    // As a STUN server at 198.51.100.1:3478 would report it.
    SocketAddress add_reflexive(Instant now, std::string_view socket) {
        REQUIRE(nat);
        const SocketAddress server = at("198.51.100.1:3478");
        const SocketAddress mapped = nat->translate(at(socket), server);
        add(now, {.type = CandidateType::ServerReflexive,
                  .address = mapped,
                  .base = at(socket),
                  .related = at(socket),
                  .server = server.ip});
        return mapped;
    }
    void add_relay(Instant now, std::string_view relayed) {
        relays.push_back(at(relayed));
        add(now, {.type = CandidateType::Relayed,
                  .address = at(relayed),
                  .base = at(relayed),
                  .server = IpAddress::v4({198, 51, 100, 1})});
    }

    template <class E>
    std::vector<E> all() const {
        std::vector<E> found;
        for (const auto& [when, event] : events) {
            if (const auto* one = std::get_if<E>(&event)) found.push_back(*one);
        }
        return found;
    }
    template <class E>
    std::optional<Instant> first_time() const {
        for (const auto& [when, event] : events) {
            if (std::holds_alternative<E>(event)) return when;
        }
        return std::nullopt;
    }
    std::optional<Instant> time_of(State state) const {
        for (const auto& [when, event] : events) {
            const auto* change = std::get_if<StateChanged>(&event);
            if (change != nullptr && change->state == state) return when;
        }
        return std::nullopt;
    }
    bool nominated() const {
        const auto selections = all<PairSelected>();
        return !selections.empty() && selections.back().selection == Selection::Nominated;
    }
};

struct Packet {
    Instant when;
    Peer* sender = nullptr;
    SocketAddress from;  // as it was sent
    SocketAddress to;
    Bytes payload;

    stun::MessageView message() const {
        const auto parsed = stun::MessageView::parse(payload);
        REQUIRE(parsed);
        return *parsed;
    }
    bool is_request() const { return message().message_class() == stun::Class::Request; }
    bool nominates() const { return message().has(stun::AttributeType::UseCandidate); }
};

class Network {
public:
    Instant now = start;
    Duration delay = 10ms;
    std::function<bool(const Packet&)> drops = [](const Packet&) { return false; };
    std::vector<Packet> log;  // all that was sent, dropped ones too
    Pacer* shared_pacer = nullptr;

    void join(Peer& peer) { peers_.push_back(&peer); }

    void run_until(Instant end) {
        for (;;) {
            std::optional<Instant> next;
            for (Peer* peer : peers_) next = earlier(next, flush(*peer));
            if (!flying_.empty()) next = earlier(next, flying_.begin()->first);
            if (!next || *next > end) break;
            now = std::max(now, *next);
            deliver_due();
            for (Peer* peer : peers_) wake(*peer);
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
            [&](const Transmit& transmit) {
                log.push_back({.when = now,
                               .sender = &peer,
                               .from = transmit.path.local,
                               .to = transmit.path.remote,
                               .payload = to_bytes(transmit.payload)});
                route(log.back());
            },
            [&](Event event) { peer.events.emplace_back(now, std::move(event)); });
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
            for (Peer* peer : peers_) {  // the same side of the same NAT
                if (peer->nat == sender.nat && contains(peer->sockets, packet.to)) {
                    return fly(*peer, {.local = packet.to, .remote = packet.from}, packet);
                }
            }
            packet.from = sender.nat->translate(packet.from, packet.to);
        }
        for (Peer* peer : peers_) {
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

    struct Arrival {
        Peer* peer;
        Path path;
        Bytes payload;
    };

    void fly(Peer& to, const Path& path, const Packet& packet) {
        flying_.emplace(now + delay, Arrival{&to, path, packet.payload});
    }

    void deliver_due() {
        while (!flying_.empty() && flying_.begin()->first <= now) {
            const Arrival arrival = std::move(flying_.begin()->second);
            flying_.erase(flying_.begin());
            arrival.peer->agent.handle_datagram(now, arrival.path, arrival.payload);
            flush(*arrival.peer);
        }
    }

    static bool contains(const std::vector<SocketAddress>& list, const SocketAddress& address) {
        return std::find(list.begin(), list.end(), address) != list.end();
    }

    std::vector<Peer*> peers_;
    std::multimap<Instant, Arrival> flying_;
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
