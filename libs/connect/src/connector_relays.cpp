// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relays from the first request to the last, and what goes through them. RFC 8656.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {
namespace {

// The allocation is over.
bool has_ended(const turn::Client::Event& event) {
    using Client = turn::Client;
    return std::holds_alternative<Client::Failed>(event) ||
           std::holds_alternative<Client::Expired>(event) ||
           std::holds_alternative<Client::Released>(event);
}

}  // namespace

std::optional<Received> Connector::handle_relayed(Instant now, Relay& relay, BytesView datagram) {
    const auto data = relay.client.handle_message(now, datagram);
    if (!data || phase_ == Phase::Released) return std::nullopt;
    const SocketAddress* const relayed = relayed_for(relay, data->peer.ip);
    if (relayed == nullptr) return std::nullopt;
    return deliver(now, Path{*relayed, data->peer}, data->payload);
}

// One allocation a server, from the best socket of its family, one that leads out if that is known:
// more would cost the server ports and give the peer the same relay again.
void Connector::start_relay(Instant now, const TurnServer& server) {
    const auto is_fit = [&](const SocketAddress& candidate) {
        return may_use(candidate) && can_reach(candidate, server.address);
    };
    const std::vector<SocketAddress> hosts = hosts_by_hope();
    auto host = std::ranges::find_if(hosts, [&](const SocketAddress& candidate) {
        return is_fit(candidate) && std::ranges::find(alive_, candidate) != alive_.end();
    });
    if (host == hosts.end()) host = std::ranges::find_if(hosts, is_fit);
    if (host == hosts.end()) return;
    const bool is_own = config_.sockets == Sockets::Own;
    const Path wire{is_own ? *host : own_socket_at(*host), server.address};
    relays_.push_back({
        .host = *host,
        .wire = wire,
        .client = turn::Client{now, relay_config(server), random_.fork()},
        .relayed = {},
        .state = SourceState::Pending,
        .held = {},
        .report = asked(SourceReport::Kind::Turn, server.transport, wire, now),
    });
}

turn::ClientConfig Connector::relay_config(const TurnServer& server) const {
    turn::ClientConfig config;
    config.transport = server.transport;
    config.retransmit = schedule_;
    config.username = server.username;
    config.password = server.password;
    // A server relays at an IPv4 address unless asked. Who reaches it over IPv6 may have nothing
    // else in common with the peer, or only the other one: both. A server that does not know the
    // attribute leaves it out of account (it is comprehension-optional).
    if (!server.address.ip.is_v4()) config.family = turn::FamilyWish::Both;
    config.mobility = mobility_of(server);
    return config;
}

void Connector::permit(Instant now, const IpAddress& peer) {
    if (std::ranges::find(peers_, peer) != peers_.end()) return;
    if (peers_.size() == limits::most_peers) return;
    peers_.push_back(peer);
    for (Relay& relay : relays_) {
        if (relayed_for(relay, peer) != nullptr) relay.client.permit(now, peer);
    }
    const bool is_over_tcp = tcp_relay_ && tcp_relay_->relayed;
    if (is_over_tcp && tcp_relay_->relayed->ip.family() == peer.family()) {
        tcp_relay_->machine.permit(now, peer);
    }
}

void Connector::take_relay_events(Instant now, Relay& relay) {
    using Client = turn::Client;
    while (const auto event = relay.client.poll_event()) {
        if (relay.stream && has_ended(*event)) close_stream(*relay.stream);
        if (phase_ == Phase::Released) continue;
        if (const auto* const allocated = std::get_if<Client::Allocated>(&*event)) {
            handle_allocated(now, relay, *allocated);
        } else if (const auto* const failed = std::get_if<Client::Failed>(&*event)) {
            lose_relay(now, relay, failed->failure);
        } else if (const auto* const expired = std::get_if<Client::Expired>(&*event)) {
            lose_relay(now, relay, expired->failure);
        } else if (const auto* const permitted =
                       std::get_if<Client::PermissionInstalled>(&*event)) {
            send_held(now, relay, permitted->peer);
        } else if (const auto* const denied = std::get_if<Client::PermissionFailed>(&*event)) {
            refuse_peer(now, relay, denied->peer);
        } else if (const auto* const bound = std::get_if<Client::ChannelBound>(&*event)) {
            note_channel(relay, bound->peer);
        } else if (const auto* const unbound = std::get_if<Client::ChannelFailed>(&*event)) {
            note_channel(relay, unbound->peer);
        } else if (std::holds_alternative<Client::Moved>(*event)) {
            finish_move(now, relay);
        } else if (const auto* const refused = std::get_if<Client::MoveFailed>(&*event)) {
            if (relay.move) fail_move(now, relay, refused->failure);
        }
    }
}

void Connector::handle_allocated(Instant now, Relay& relay,
                                 const turn::Client::Allocated& allocated) {
    relay.state = SourceState::Done;
    relay.report.outcome = SourceReport::Outcome::Answered;
    relay.report.took = now - relay.report.asked;
    relay.report.mapped = allocated.mapped;
    note_mobility(relay);
    // Another server was quicker: this one is not told of, and given back.
    if (relay.stream && has_relay()) return relay.client.release(now);
    relay.relayed = allocated.relayed;
    // What comes first ranks first. With the other family it may take a relay at both ends.
    std::ranges::stable_partition(relay.relayed, [&](const SocketAddress& relayed) {
        return relayed.ip.family() == relay.wire.remote.ip.family();
    });
    if (!relay.stream) relay.keepalive_due = now + limits::relay_keepalive;
    relay.report.relayed = relay.relayed;
    if (!relay.stream) give_up_rivals(now, relay);
    for (const IpAddress& peer : peers_) {
        if (relayed_for(relay, peer) != nullptr) relay.client.permit(now, peer);
    }
    const IpAddress server = relay.wire.remote.ip;
    // How a NAT shows what is the relay's alone is of no use to anybody else.
    if (!relay.stream && !is_own_socket(relay.wire.local)) {
        add_reflexive(now, relay.wire, allocated.mapped, {});
    }
    for (const SocketAddress& relayed : relay.relayed) {
        add_gathered(
            now, {.type = ice::CandidateType::Relayed,
                  .address = relayed,
                  .base = relayed,
                  .component = {},
                  .related = config_.policy == CandidatePolicy::RelayedOnly
                                 ? std::nullopt
                                 : std::optional{allocated.mapped},
                  .server = server,
                  .local_preference = relay.stream ? std::optional{limits::stream_relay_preference}
                                                   : std::nullopt});
    }
}

void Connector::lose_relay(Instant now, Relay& relay, turn::Failure failure) {
    relay.state = SourceState::Done;
    relay.keepalive_due.reset();
    relay.stranded_until.reset();
    leave_move(relay);
    relay.held.clear();
    for (const SocketAddress& lost : std::exchange(relay.relayed, {})) {
        // A restart must not tell of it again.
        std::erase_if(gathered_, [&](const ice::GatheredCandidate& gathered) {
            return gathered.base == lost && gathered.protocol.transport == ice::Transport::Udp;
        });
        std::erase_if(local_.candidates, [&](const ice::Candidate& known) {
            return known.base == lost && known.transport == ice::Transport::Udp;
        });
        agent_.remove_base(now, lost);
    }
    relay.report.outcome = failure.kind == turn::FailureKind::TimedOut
                               ? SourceReport::Outcome::Silent
                               : SourceReport::Outcome::Refused;
    relay.report.took = now - relay.report.asked;
    relay.report.failure = failure;
    queue_event(RelayFailed{relay.wire.remote, std::move(failure)});
}

// What waits for the permission would wait for ever.
void Connector::refuse_peer(Instant now, Relay& relay, const IpAddress& peer) {
    for (const Queued& queued : std::exchange(relay.held, {})) {
        if (queued.path.remote.ip == peer) {
            agent_.handle_send_failed(now, queued.path);
        } else {
            relay.held.push_back(queued);
        }
    }
}

void Connector::note_channel(const Relay& relay, const SocketAddress& peer) {
    if (!selected_ || selected_->connection || selected_->pair.remote != peer) return;
    if (!route()) return;
    if (find_relay(selected_->pair.local) == &relay) queue_event(RouteChanged{*route()});
}

// A check waits for its permission, which was asked for when the candidate came: "the client MUST
// ensure that there is a permission installed" (RFC 8656 Section 11.1), and what came before it the
// server would drop.
void Connector::send_relayed(Instant now, Relay& relay, const SocketAddress& peer,
                             BytesView payload) {
    const auto sent = relay.client.send(now, peer, payload);
    if (sent != turn::Client::Sent::NotPermitted) return;
    permit(now, peer.ip);
    if (relay.held.size() == limits::most_held) relay.held.pop_front();
    relay.held.push_back({{*relayed_for(relay, peer.ip), peer}, to_bytes(payload)});
}

void Connector::send_held(Instant now, Relay& relay, const IpAddress& peer) {
    for (Queued& queued : std::exchange(relay.held, {})) {
        if (queued.path.remote.ip == peer) {
            relay.client.send(now, queued.path.remote, queued.payload);
        } else {
            relay.held.push_back(std::move(queued));
        }
    }
}

// Where the server takes what this peer sends; none where it has no address of the peer's family.
const SocketAddress* Connector::relayed_for(const Relay& relay, const IpAddress& peer) {
    const auto found = std::ranges::find_if(relay.relayed, [&](const SocketAddress& relayed) {
        return relayed.ip.family() == peer.family();
    });
    return found == relay.relayed.end() ? nullptr : &*found;
}

Connector::Relay* Connector::find_relay(const SocketAddress& relayed) {
    const auto has_it = [&](const Relay& relay) {
        return std::ranges::find(relay.relayed, relayed) != relay.relayed.end();
    };
    const auto relay = std::ranges::find_if(relays_, has_it);
    return relay == relays_.end() ? nullptr : &*relay;
}

const Connector::Relay* Connector::find_relay(const SocketAddress& relayed) const {
    const auto has_it = [&](const Relay& relay) {
        return std::ranges::find(relay.relayed, relayed) != relay.relayed.end();
    };
    const auto relay = std::ranges::find_if(relays_, has_it);
    return relay == relays_.end() ? nullptr : &*relay;
}

}  // namespace stile::connect
