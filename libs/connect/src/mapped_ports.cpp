// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Ports that a router keeps open are server reflexive candidates with the router as their server.
#include <stile/connect/connector.hpp>

#include <algorithm>

namespace stile::connect {

void Connector::handle_port_mapped(Instant now, const MappedPort& mapped) {
    take_mapped(now, mapped);
    see(now);
}

void Connector::take_mapped(Instant now, const MappedPort& mapped) {
    if (phase_ == Phase::Released || !protocol_of(mapped) || !may_use(mapped.host)) return;
    const auto known = std::ranges::find_if(mapped_, [&](const Mapped& other) {
        return other.port.host == mapped.host && other.port.gateway == mapped.gateway &&
               other.port.transport == mapped.transport;
    });
    if (known != mapped_.end()) {
        if (known->port == mapped) return;
        // A gateway maps a socket once: the new address replaces the old one.
        forget_mapped(known->port);
        mapped_.erase(known);
    }
    if (mapped_.size() == limits::most_mapped_ports) return;
    mapped_.push_back({.port = mapped, .local_preference = preference_of(mapped)});
    gather_mapped(now, mapped_.back());
}

void Connector::handle_port_unmapped(Instant now, const MappedPort& mapped) {
    if (std::erase_if(mapped_, [&](const Mapped& other) { return other.port == mapped; }) == 0) {
        return;
    }
    forget_mapped(mapped);
    see(now);
}

// How the socket is spoken to that a mapping is for; empty where it is none of ours.
std::optional<ice::Protocol> Connector::protocol_of(const MappedPort& mapped) const {
    if (mapped.transport == ice::Transport::Udp) {
        const bool is_ours = std::ranges::find(config_.hosts, mapped.host) != config_.hosts.end();
        return is_ours ? std::optional{ice::Protocol{}} : std::nullopt;
    }
    const auto listener = std::ranges::find(config_.listeners, mapped.host, &Listener::address);
    if (listener == config_.listeners.end()) return std::nullopt;
    return ice::Protocol{.transport = ice::Transport::Tcp, .tcp_type = listener->type};
}

// Behind a second NAT the mapping helps those alone who are behind it, too: it ranks below whatever
// a STUN server sees, which takes the numbers from the top.
std::optional<std::uint16_t> Connector::preference_of(const MappedPort& mapped) const {
    if (!mapped.external.ip.is_private()) return std::nullopt;
    std::uint16_t preference = limits::most_mapped_ports;
    const auto is_taken = [&](const Mapped& other) { return other.local_preference == preference; };
    while (std::ranges::any_of(mapped_, is_taken)) --preference;
    return preference;
}

void Connector::gather_mapped(Instant now, const Mapped& mapped) {
    const auto protocol = protocol_of(mapped.port);
    if (!protocol) return;
    const auto is_same = [&](const ice::Candidate& other) {
        return other.address == mapped.port.external && other.base == mapped.port.host &&
               other.protocol() == *protocol;
    };
    // Also where a firewall was opened, whose outside address is the host candidate's.
    if (std::ranges::any_of(local_.candidates, is_same)) return;
    const ice::LocalCandidates& known = agent_.local_candidates();
    const auto index = known.find(mapped.port.external, mapped.port.host, *protocol);
    // It was lost, and is there again: the agent has it still.
    if (index && is_same(known[*index]) &&
        known[*index].type == ice::CandidateType::ServerReflexive) {
        return tell(known[*index]);
    }
    add_gathered(now, {.type = ice::CandidateType::ServerReflexive,
                       .address = mapped.port.external,
                       .base = mapped.port.host,
                       .component = {},
                       .related = mapped.port.host,
                       .server = mapped.port.gateway,
                       .local_preference = mapped.local_preference,
                       .protocol = *protocol});
}

// Told no longer; pairs leave from the socket, which is what it was.
void Connector::forget_mapped(const MappedPort& mapped) {
    const auto erased = std::erase_if(gathered_, [&](const ice::GatheredCandidate& gathered) {
        return gathered.address == mapped.external && gathered.base == mapped.host &&
               gathered.server == mapped.gateway && gathered.protocol.transport == mapped.transport;
    });
    if (erased == 0) return;  // a STUN server sees the same
    std::erase_if(local_.candidates, [&](const ice::Candidate& candidate) {
        return candidate.address == mapped.external && candidate.base == mapped.host &&
               candidate.transport == mapped.transport;
    });
}

}  // namespace stile::connect
