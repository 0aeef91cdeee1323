// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Sockets that come and go while the connector lives: another uplink, an interface that is gone.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

bool Connector::add_host(Instant now, const SocketAddress& host) {
    const bool is_known = std::ranges::find(config_.hosts, host) != config_.hosts.end();
    if (phase_ == Phase::Released || is_known || config_.hosts.size() == limits::most_hosts) {
        return false;
    }
    config_.hosts.push_back(host);
    newest_ = host;
    reconsider_translation();
    if (may_use(host)) add_gathered(now, ice::host_candidate(host));
    // A server that was silent may answer this one.
    forget_dead_relays();
    move_stranded(now);
    ask_from_anew(now, host);
    see(now);
    return true;
}

void Connector::remove_host(Instant now, const SocketAddress& host) {
    if (std::erase(config_.hosts, host) == 0) return;
    if (newest_ == host) newest_.reset();
    std::erase(alive_, host);
    std::erase(silent_, host);
    std::erase_if(probes_, [&](const Probe& probe) { return probe.machine.path().local == host; });
    std::erase_if(queued_, [&](const Queued& queued) { return queued.path.local == host; });
    for (std::deque<Source>* const line : {&waiting_, &between_, &rest_}) {
        std::erase_if(*line, [&](const Source& source) {
            const auto* const path = std::get_if<Path>(&source);
            return path != nullptr && path->local == host;
        });
    }
    std::erase_if(mapped_, [&](const Mapped& mapped) {
        return mapped.port.host == host && mapped.port.transport == ice::Transport::Udp;
    });
    std::erase_if(gathered_, [&](const ice::GatheredCandidate& gathered) {
        return gathered.base == host && gathered.protocol.transport == ice::Transport::Udp;
    });
    std::erase_if(local_.candidates, [&](const ice::Candidate& known) {
        return known.base == host && known.transport == ice::Transport::Udp;
    });
    if (phase_ == Phase::Released) {
        return forget_relays_by(host);
    }
    leave_host(now, host);
    const auto has_its_address = [&](const SocketAddress& other) { return other.ip == host.ip; };
    if (tcp_relay_ && has_its_address(tcp_relay_->wire.local) &&
        std::ranges::none_of(config_.hosts, has_its_address)) {
        lose_tcp_relay(now, {.kind = turn::FailureKind::Unreachable});
    }
    agent_.remove_base(now, host);
    reconsider_translation();
    move_stranded(now);
    ask_from_anew(now, std::nullopt);
    see(now);
}

// An allocation belongs to the 5-tuple that made it (RFC 8656 Section 3.2), unless it may move.
void Connector::leave_host(Instant now, const SocketAddress& host) {
    for (Relay& relay : relays_) {
        std::erase(relay.tried, host);
        if (relay.move && is_from(relay.move->wire, relay.move->host, relay.transport, host)) {
            leave_move(relay);
        }
        const bool is_alive = relay.state == SourceState::Pending || !relay.relayed.empty();
        if (!is_by(relay, host) || !is_alive || strand(now, relay)) continue;
        lose_relay(now, relay, turn::Failure{.kind = turn::FailureKind::Unreachable});
    }
    forget_relays_by(host);
}

void Connector::forget_relays_by(const SocketAddress& host) {
    for (const Relay& relay : relays_) {
        if (relay.stream && is_by(relay, host)) close_stream(*relay.stream);
    }
    std::erase_if(relays_,
                  [&](const Relay& relay) { return is_by(relay, host) && !relay.stranded_until; });
}

bool Connector::is_by(const Relay& relay, const SocketAddress& host) const {
    return is_from(relay.wire, relay.host, relay.transport, host);
}

// A connection of its own goes with its address.
bool Connector::is_from(const Path& wire, const SocketAddress& from,
                        turn::ClientTransport transport, const SocketAddress& host) const {
    if (!turn::is_stream(transport)) return from == host;
    return wire.local.ip == host.ip &&
           std::ranges::find(config_.hosts, host.ip, &SocketAddress::ip) == config_.hosts.end();
}

// Another network may have IPv4 where this one had none, or the other way round.
void Connector::reconsider_translation() {
    config_.stun_servers = given_.stun_servers;
    config_.turn_servers = given_.turn_servers;
    config_.nat64_prefix = given_.nat64_prefix;
    translate_servers();
}

// What ask_sources() does, for one socket more or for the relays that are lost.
void Connector::ask_from_anew(Instant now, std::optional<SocketAddress> host) {
    const std::size_t before = waiting_.size();
    for (const TurnServer& server : config_.turn_servers) {
        if (turn::is_stream(server.transport)) continue;
        const bool is_there =
            std::ranges::any_of(relays_, [&](const Relay& relay) { return is_at(relay, server); });
        const auto is_it = [&](const Source& source) {
            const auto* const turn = std::get_if<TurnServer>(&source);
            return turn != nullptr && turn->address == server.address;
        };
        if (!is_there && !any_waits(is_it)) waiting_.emplace_back(server);
    }
    if (host && may_use(*host)) {
        for (const SocketAddress& server : config_.stun_servers) {
            if (can_reach(*host, server)) waiting_.emplace_back(Path{*host, server});
        }
    }
    plan_stream_relays(now);
    if (waiting_.size() == before) return;
    if (before == 0) next_source_ = std::max(next_source_, now);
    if (local_.gathering == Gathering::Ongoing) {
        const Duration round = config_.ice.ta * static_cast<Duration::rep>(waiting_.size());
        gathering_deadline_ = now + limits::source_deadline + round;
    }
    begin_sources(now);
}

}  // namespace stile::connect
