// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relays over TCP and TLS, for networks that let no UDP out. RFC 8656 Section 3.1.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

bool Connector::has_relay() const {
    return std::ranges::any_of(relays_, [](const Relay& relay) {
        return !relay.relayed.empty() && !relay.stranded_until;
    });
}

bool Connector::is_at(const Relay& relay, const TurnServer& server) const {
    if (relay.transport != server.transport) return false;
    return relay.wire.remote == server.address ||
           (relay.stranded_until && server_of(relay) == server.address);
}

// One that was asked, and may answer.
bool Connector::awaits_relay() const {
    const auto waits = [](const Source& source) {
        return std::holds_alternative<TurnServer>(source);
    };
    const auto is_pending = [](const Relay& relay) { return relay.state == SourceState::Pending; };
    const auto is_opening = [](const Attempt& attempt) {
        return attempt.state == SourceState::Pending &&
               std::holds_alternative<TurnServer>(attempt.source);
    };
    return any_waits(waits) || std::ranges::any_of(relays_, is_pending) ||
           std::ranges::any_of(attempts_, is_opening);
}

void Connector::plan_stream_relays(Instant now) {
    stream_servers_.clear();
    next_stream_relay_.reset();
    if (has_relay()) return;
    const auto is_asked = [&](const TurnServer& server) {
        const auto is_it = [&](const Attempt& attempt) {
            const auto* const turn = std::get_if<TurnServer>(&attempt.source);
            return turn != nullptr && attempt.state == SourceState::Pending &&
                   turn->address == server.address && turn->transport == server.transport;
        };
        const auto is_there = [&](const Relay& relay) { return is_at(relay, server); };
        return std::ranges::any_of(attempts_, is_it) || std::ranges::any_of(relays_, is_there);
    };
    for (const TurnServer& server : config_.turn_servers) {
        if (turn::is_stream(server.transport) && !is_asked(server)) {
            stream_servers_.push_back(server);
        }
    }
    next_stream_relay_ = now + limits::stream_relay_delay;
}

void Connector::start_due_stream_relay(Instant now) {
    if (has_relay()) {
        stream_servers_.clear();
        return drop_relay_attempts();
    }
    // Where nothing is under way there is nothing to wait for.
    const auto moves = [](const Relay& relay) { return relay.move.has_value(); };
    const auto is_near = [&] { return awaits_relay() || std::ranges::any_of(relays_, moves); };
    while (!stream_servers_.empty() && (now >= *next_stream_relay_ || !is_near())) {
        const TurnServer server = std::move(stream_servers_.front());
        stream_servers_.pop_front();
        next_stream_relay_ = now + limits::next_stream_relay_delay;
        start_stream_relay(now, server);
    }
}

void Connector::start_stream_relay(Instant now, const TurnServer& server) {
    const auto host = std::ranges::find_if(config_.hosts, [&](const SocketAddress& candidate) {
        return may_use(candidate) && can_reach(candidate, server.address);
    });
    if (host == config_.hosts.end()) return;
    const Path path{{host->ip, ice::discard_port}, server.address};
    const StreamId id = streams_.add(Stream::Use::Relay, Stream::Phase::Opening, path).id;
    attempts_.push_back({.stream = id,
                         .source = server,
                         .state = SourceState::Pending,
                         .report = asked(SourceReport::Kind::Turn, server.transport, path, now)});
    const bool is_secure = server.transport == turn::ClientTransport::Tls;
    queue_event(StreamWanted{.stream = id,
                             .path = path,
                             .local_port = StreamWanted::LocalPort::Any,
                             .security = is_secure ? StreamSecurity::Tls : StreamSecurity::None,
                             .server_name = server.server_name});
}

void Connector::open_stream_relay(Instant now, const TurnServer& server, StreamId stream,
                                  const Path& path) {
    // UDP got through after all.
    if (has_relay()) return close_stream(stream);
    relays_.push_back({
        .host = path.local,
        .wire = path,
        .client = turn::Client{now, relay_config(server), random_.fork()},
        .relayed = {},
        .state = SourceState::Pending,
        .held = {},
        .report = asked(SourceReport::Kind::Turn, server.transport, path, now),
        .transport = server.transport,
        .stream = stream,
    });
}

void Connector::drop_relay_attempts() {
    std::erase_if(attempts_, [&](const Attempt& attempt) {
        const bool is_dropped = attempt.state == SourceState::Pending &&
                                std::holds_alternative<TurnServer>(attempt.source);
        if (is_dropped) close_stream(attempt.stream);
        return is_dropped;
    });
}

void Connector::forget_dead_relays() {
    const auto is_dead = [](const Relay& relay) {
        return relay.state == SourceState::Done && relay.relayed.empty();
    };
    for (const Relay& relay : relays_) {
        if (is_dead(relay) && relay.stream) close_stream(*relay.stream);
    }
    std::erase_if(relays_, is_dead);
}

}  // namespace stile::connect
