// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Interfaces that lead nowhere (a VPN that is down, a network left behind) look like all others.
// RFC 8445 Section 6.1.2.3 would have every pair of a good one's reflexive candidate wait for the
// host pairs of all of those. What the servers' answers say of the sockets is used instead: those
// that are silent come as late candidates do.
#include <stile/connect/connector.hpp>

#include <algorithm>

namespace stile::connect {

void Connector::note_alive(Instant now, const SocketAddress& host) {
    if (std::ranges::find(alive_, host) != alive_.end()) return;
    if (std::ranges::find(config_.hosts, host) == config_.hosts.end()) return;
    alive_.push_back(host);
    if (std::erase(silent_, host) != 0) take_back(now, host);
}

// Before the checks begin: later, pairs are under way.
void Connector::set_silent_aside(Instant now) {
    if (agent_.state() != ice::State::Waiting || !silent_.empty() || alive_.empty()) return;
    if (config_.policy == CandidatePolicy::RelayedOnly) return;
    const auto is_asked = [&](const SocketAddress& host) {
        const auto reaches = [&](const SocketAddress& server) { return can_reach(host, server); };
        return std::ranges::any_of(config_.stun_servers, reaches);
    };
    for (const SocketAddress& host : config_.hosts) {
        const bool in_use = selected_ && selected_->pair.local == host;
        const bool is_alive = std::ranges::find(alive_, host) != alive_.end();
        if (is_alive || in_use || !may_use(host) || !is_asked(host)) continue;
        silent_.push_back(host);
    }
    for (const SocketAddress& host : silent_) agent_.remove_base(now, host);
}

// One by one, each when all that is there was sent at least once.
void Connector::take_back_in_turn(Instant now) {
    while (!silent_.empty() && agent_.remote_candidates().size() > 0) {
        const auto waits = [](const ice::PairReport& pair) {
            return pair.state == ice::PairState::Waiting || pair.state == ice::PairState::Frozen;
        };
        if (std::ranges::any_of(agent_.pairs(), waits)) return;
        const SocketAddress host = silent_.front();
        silent_.erase(silent_.begin());
        take_back(now, host);
    }
}

void Connector::take_back(Instant now, const SocketAddress& host) {
    for (ice::GatheredCandidate gathered : gathered_) {
        if (gathered.base != host || gathered.protocol.transport != ice::Transport::Udp) continue;
        const auto told = std::ranges::find_if(local_.candidates, [&](const auto& candidate) {
            return candidate.address == gathered.address && candidate.base == gathered.base;
        });
        if (told == local_.candidates.end()) continue;
        // With the priority that the peer knows. RFC 8445 Section 5.1.2.1.
        gathered.local_preference = static_cast<std::uint16_t>((told->priority >> 8U) & 0xFFFFU);
        (void)agent_.add_local_candidate(now, gathered);
    }
}

}  // namespace stile::connect
