// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The socket or connection that led to a relay is gone, and the relay comes along to another one:
// its address, permissions and channels stay, so that the peer sees nothing of it. RFC 8016.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace stile::connect {

// False where the relay goes with its socket.
bool Connector::strand(Instant now, Relay& relay) {
    if (phase_ == Phase::Released || relay.relayed.empty() || !relay.client.has_ticket())
        return false;
    const bool is_used = selected_ && find_relay(selected_->pair.local) == &relay;
    if (!relay.stranded_until && is_used) queue_event(RouteLost{});
    relay.keepalive_due.reset();
    if (relay.stream) close_stream(*std::exchange(relay.stream, {}));
    if (!relay.stranded_until) relay.stranded_until = now + limits::stranded_relay_patience;
    return true;
}

// Of a relay that is stranded, or moves: what leads there from this host is gone.
void Connector::leave_move(Relay& relay) {
    if (!relay.move) return;
    if (relay.move->stream) close_stream(*relay.move->stream);
    relay.move.reset();
}

void Connector::move_stranded(Instant now) {
    for (Relay& relay : relays_) {
        if (relay.stranded_until && !relay.move) move_to_next(now, relay);
    }
}

// The address at which the relay's server is reached now: by a NAT64 it is another one than
// without.
SocketAddress Connector::server_of(const Relay& relay) const {
    for (std::size_t i = 0; i < given_.turn_servers.size(); ++i) {
        const TurnServer& given = given_.turn_servers[i];
        const auto embedded =
            given_.nat64_prefix ? given_.nat64_prefix->embed(given.address.ip) : std::nullopt;
        const SocketAddress translated{embedded.value_or(given.address.ip), given.address.port};
        const bool is_it = given.address == relay.wire.remote || translated == relay.wire.remote;
        if (is_it && given.transport == relay.transport) return config_.turn_servers[i].address;
    }
    return relay.wire.remote;
}

// Sockets that lead out, as far as that is known, come first.
std::optional<SocketAddress> Connector::next_host_of(const Relay& relay) const {
    const SocketAddress server = server_of(relay);
    const auto is_fit = [&](const SocketAddress& host) {
        return may_use(host) && can_reach(host, server) &&
               std::ranges::find(relay.tried, host) == relay.tried.end();
    };
    const std::vector<SocketAddress> hosts = hosts_by_hope();
    auto next = std::ranges::find_if(hosts, [&](const SocketAddress& host) {
        return is_fit(host) && std::ranges::find(alive_, host) != alive_.end();
    });
    if (next == hosts.end()) next = std::ranges::find_if(hosts, is_fit);
    return next == hosts.end() ? std::nullopt : std::optional{*next};
}

// Without a socket to go to, one may come.
void Connector::move_to_next(Instant now, Relay& relay) {
    leave_move(relay);
    const auto host = next_host_of(relay);
    if (!host) return;
    relay.tried.push_back(*host);
    const SocketAddress server = server_of(relay);
    relay.move = Relay::Move{.host = *host,
                             .wire = {*host, server},
                             .give_up = now + limits::move_patience,
                             .stream = {}};
    if (turn::is_stream(relay.transport)) return open_move_stream(relay);
    if (config_.sockets == Sockets::Shared) relay.move->wire.local = own_socket_at(*host);
    (void)relay.client.move(now, relay.transport);
    // It has taken the turn of the next source.
    next_source_ = std::max(next_source_, now + config_.ice.ta);
}

void Connector::open_move_stream(Relay& relay) {
    relay.move->wire.local.port = ice::discard_port;
    const Path path = relay.move->wire;
    relay.move->stream = streams_.add(Stream::Use::Relay, Stream::Phase::Opening, path).id;
    const auto server = std::ranges::find_if(config_.turn_servers, [&](const TurnServer& each) {
        return each.address == path.remote && each.transport == relay.transport;
    });
    const bool is_secure = relay.transport == turn::ClientTransport::Tls;
    queue_event(StreamWanted{
        .stream = *relay.move->stream,
        .path = path,
        .local_port = StreamWanted::LocalPort::Any,
        .security = is_secure ? StreamSecurity::Tls : StreamSecurity::None,
        .server_name = server == config_.turn_servers.end() ? std::string{} : server->server_name});
}

Connector::Relay* Connector::find_moving(StreamId stream) {
    const auto found = std::ranges::find_if(
        relays_, [&](const Relay& relay) { return relay.move && relay.move->stream == stream; });
    return found == relays_.end() ? nullptr : &*found;
}

void Connector::handle_move_opened(Instant now, Relay& relay, const Path& path) {
    relay.move->wire = path;
    relay.move->host = path.local;
    relay.move->give_up = now + limits::move_patience;
    (void)relay.client.move(now, relay.transport);
}

// It was refused, or nobody answers: another host may lead there. Where none is left, a new relay
// is asked for.
void Connector::fail_move(Instant now, Relay& relay, const turn::Failure& failure) {
    leave_move(relay);
    const bool is_silent = failure.kind == turn::FailureKind::TimedOut ||
                           failure.kind == turn::FailureKind::Unreachable;
    if (is_silent) move_to_next(now, relay);
    if (!relay.move) lose_stranded(now, relay, failure);
}

void Connector::lose_stranded(Instant now, Relay& relay, turn::Failure failure) {
    relay.stranded_until.reset();
    lose_relay(now, relay, std::move(failure));
    ask_for_lost_ = AskForLost::Yes;
}

void Connector::give_up_moves(Instant now) {
    for (Relay& relay : relays_) {
        if (!relay.stranded_until) continue;
        if (now >= *relay.stranded_until) {
            leave_move(relay);
            lose_stranded(now, relay, {.kind = turn::FailureKind::Unreachable});
        } else if (relay.move && now >= relay.move->give_up) {
            fail_move(now, relay, {.kind = turn::FailureKind::TimedOut});
        }
    }
}

std::optional<Instant> Connector::move_deadline(const Relay& relay) {
    if (!relay.move) return relay.stranded_until;
    return earlier(relay.stranded_until, relay.move->give_up);
}

// The server sends to the old place until data comes from the new one (RFC 8016 Section 3.2.2): the
// agent has something to say at once.
void Connector::finish_move(Instant now, Relay& relay) {
    if (!relay.move) return;
    const Relay::Move move = *std::exchange(relay.move, {});
    relay.host = move.host;
    relay.wire = move.wire;
    relay.stream = move.stream;
    relay.stranded_until.reset();
    relay.tried.clear();
    relay.report.path = move.wire;
    if (!relay.stream) relay.keepalive_due = now + limits::relay_keepalive;
    for (const SocketAddress& relayed : relay.relayed) agent_.handle_base_moved(now, relayed);
    const bool is_used = selected_ && find_relay(selected_->pair.local) == &relay;
    if (is_used) queue_event(RouteChanged{*route()});
}

bool Connector::is_stranded(const SocketAddress& relayed) const {
    const Relay* const relay = find_relay(relayed);
    return relay != nullptr && relay->stranded_until.has_value();
}

// Known servers that forbid it cost no round trip, neither here nor, through
// immobile_servers(), elsewhere.
turn::ClientConfig::Mobility Connector::mobility_of(const TurnServer& server) const {
    using Mobility = turn::ClientConfig::Mobility;
    const bool forbids = std::ranges::find(immobile_, server.address) != immobile_.end();
    return forbids ? Mobility::NotWanted : server.mobility;
}

void Connector::note_mobility(const Relay& relay) {
    if (!relay.client.is_mobility_forbidden()) return;
    if (std::ranges::find(immobile_, relay.wire.remote) != immobile_.end()) return;
    if (immobile_.size() < limits::most_turn_servers) immobile_.push_back(relay.wire.remote);
}

}  // namespace stile::connect
