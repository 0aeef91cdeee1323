// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <stile/ice/agent.hpp>
#include <stile/stun/message_view.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

// What a small deterministic network for tests consists of: NATs, hosts with an agent, packets.
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
    // What becomes of a SYN that nobody inside has asked for. RFC 5382 REQ-4 wants it dropped.
    enum class UnexpectedSyn : std::uint8_t { Drop, Reset };
    UnexpectedSyn unexpected_syn = UnexpectedSyn::Drop;

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
    // A reset from `remote` passed: its connection is forgotten.
    void forget(const SocketAddress& outer, const SocketAddress& remote) {
        for (Binding& binding : bindings) {
            if (SocketAddress{outside, Port{binding.port}} == outer) {
                std::erase(binding.contacted, remote);
            }
        }
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
    Nat* nat = nullptr;      // for UDP
    Nat* tcp_nat = nullptr;  // the same router's for TCP, whose ports are others
    std::vector<SocketAddress> sockets;
    std::vector<SocketAddress> listeners;
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
    void add_tcp(Instant now, std::string_view address, TcpType type, ComponentId component = {}) {
        if (type != TcpType::Active) listeners.push_back(at(address));
        add(now, tcp_host_candidate(at(address), type, component));
    }
    // What a TCP allocation gives.
    void add_tcp_relayed(Instant now, std::string_view address) {
        listeners.push_back(at(address));
        for (const TcpType type : {TcpType::Passive, TcpType::Active}) {
            add(now, tcp_relayed_candidate(at(address), type));
        }
    }
    // As a STUN server reports it that was asked over TCP from the candidate's own port.
    void add_tcp_reflexive(Instant now, std::string_view socket) {
        REQUIRE(tcp_nat);
        const SocketAddress server = at("198.51.100.1:3478");
        add(now,
            {.type = CandidateType::ServerReflexive,
             .address = tcp_nat->translate(at(socket), server),
             .base = at(socket),
             .related = at(socket),
             .server = server.ip,
             .protocol = {.transport = Transport::Tcp, .tcp_type = TcpType::SimultaneousOpen}});
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
    std::optional<ConnectionId> connection;

    stun::MessageView message() const {
        const auto parsed = stun::MessageView::parse(payload);
        REQUIRE(parsed);
        return *parsed;
    }
    bool is_request() const { return message().message_class() == stun::Class::Request; }
    bool nominates() const { return message().has(stun::AttributeType::UseCandidate); }
};

}  // namespace stile::ice::testing
