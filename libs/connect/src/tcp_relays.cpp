// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relayed candidates over TCP: RFC 6544 Section 5.5, RFC 6062. A relay over UDP serves a peer that
// takes UDP, or that has a relay itself; this one serves those that have nothing but TCP. So it is
// asked for when it is clear that the peer is one of them.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {
namespace {

ice::ConnectFailure failure_of(const turn::Failure& failure) {
    return failure.kind == turn::FailureKind::TimedOut ? ice::ConnectFailure::TimedOut
                                                       : ice::ConnectFailure::Unreachable;
}

}  // namespace

// ---- when, and from whom ---------------------------------------------------------------------

// As it told.
bool Connector::peer_has(ice::Transport transport) const {
    const auto is_it = [&](const ice::Candidate& candidate) {
        return candidate.transport == transport &&
               candidate.type != ice::CandidateType::PeerReflexive;
    };
    const ice::RemoteCandidates& known = agent_.remote_candidates();
    for (std::uint16_t i = 0; i < known.size(); ++i) {
        if (is_it(known[i])) return true;
    }
    return std::ranges::any_of(aside_, is_it) ||
           std::ranges::any_of(named_, is_it, &NamedCandidate::candidate);
}

// A relay's connections have ports that the peer could not tell before: to the agent what comes on
// one is peer reflexive.
bool Connector::comes_from_relay(const IpAddress& remote) const {
    const ice::RemoteCandidates& known = agent_.remote_candidates();
    bool is_relay = false;
    for (std::uint16_t i = 0; i < known.size(); ++i) {
        if (known[i].transport != ice::Transport::Tcp || known[i].address.ip != remote) continue;
        const bool is_theirs = known[i].type == ice::CandidateType::Host ||
                               known[i].type == ice::CandidateType::ServerReflexive;
        if (is_theirs) return false;
        is_relay = is_relay || known[i].type == ice::CandidateType::Relayed;
    }
    return is_relay;
}

std::optional<Instant> Connector::tcp_relay_due() const {
    if (tcp_relay_plan_ == TcpRelayPlan::Made || tcp_relay_ || selected_) return std::nullopt;
    if (agent_.state() != ice::State::Running) return std::nullopt;
    if (!checks_began_ || !peer_has(ice::Transport::Tcp)) return std::nullopt;
    const bool has_server = std::ranges::any_of(
        config_.turn_servers, [](const auto& server) { return turn::is_stream(server.transport); });
    if (!has_server) return std::nullopt;
    const bool is_all = remote_gathering_ == Gathering::Complete;
    if (is_all && !peer_has(ice::Transport::Udp)) return checks_began_;
    return *checks_began_ + limits::tcp_relay_patience;
}

void Connector::consider_tcp_relay(Instant now) {
    if (const auto due = tcp_relay_due(); due && now >= *due) {
        tcp_relay_plan_ = TcpRelayPlan::Made;
        for (const TurnServer& server : config_.turn_servers) {
            if (turn::is_stream(server.transport)) tcp_relay_servers_.push_back(server);
        }
        // One that answers already is the first.
        std::ranges::stable_partition(tcp_relay_servers_, [&](const TurnServer& server) {
            return std::ranges::any_of(relays_, [&](const Relay& relay) {
                return !relay.relayed.empty() && relay.wire.remote == server.address &&
                       relay.transport == server.transport;
            });
        });
        next_tcp_relay_ = now;
    }
    while (!tcp_relay_servers_.empty()) {
        if (selected_ || (tcp_relay_ && tcp_relay_->relayed)) return tcp_relay_servers_.clear();
        const bool is_pending = is_opening_tcp_relay() || tcp_relay_;
        if (is_pending && now < next_tcp_relay_) return;
        give_up_tcp_relay(now);
        const TurnServer server = std::move(tcp_relay_servers_.front());
        tcp_relay_servers_.pop_front();
        next_tcp_relay_ = now + limits::tcp_relay_server_patience;
        start_tcp_relay(now, server);
    }
}

bool Connector::is_opening_tcp_relay() const {
    return std::ranges::any_of(attempts_, [](const Attempt& attempt) {
        return attempt.state == SourceState::Pending &&
               std::holds_alternative<TcpRelaySource>(attempt.source);
    });
}

bool Connector::awaits_tcp_relay() const {
    return !tcp_relay_servers_.empty() || is_opening_tcp_relay() ||
           (tcp_relay_ && !tcp_relay_->relayed);
}

void Connector::start_tcp_relay(Instant now, const TurnServer& server) {
    std::vector<SocketAddress> locals = config_.hosts;
    for (const Listener& listener : config_.listeners) locals.push_back(listener.address);
    const auto local = std::ranges::find_if(locals, [&](const SocketAddress& candidate) {
        return may_use(candidate) && can_reach(candidate, server.address);
    });
    if (local == locals.end()) return;
    const Path path{{local->ip, ice::discard_port}, server.address};
    const Stream& stream = streams_.add(Stream::Use::Relay, Stream::Phase::Opening, path);
    Attempt attempt{.stream = stream.id,
                    .source = TcpRelaySource{server},
                    .state = SourceState::Pending,
                    .report = asked(SourceReport::Kind::Turn, server.transport, path, now)};
    attempt.report.relays = turn::RelayProtocol::Tcp;
    attempts_.push_back(std::move(attempt));
    want_stream(stream, server);
}

void Connector::want_stream(const Stream& stream, const TurnServer& server) {
    const bool is_secure = server.transport == turn::ClientTransport::Tls;
    queue_event(StreamWanted{.stream = stream.id,
                             .path = stream.path,
                             .local_port = StreamWanted::LocalPort::Any,
                             .security = is_secure ? StreamSecurity::Tls : StreamSecurity::None,
                             .server_name = server.server_name});
}

void Connector::open_tcp_relay(Instant now, const TurnServer& server, StreamId stream,
                               const Path& path) {
    turn::ClientConfig config = relay_config(server);
    config.mobility = turn::ClientConfig::Mobility::NotWanted;
    config.protocol = turn::RelayProtocol::Tcp;
    const ice::RemoteCandidates& known = agent_.remote_candidates();
    bool has_v4 = false;
    for (std::uint16_t i = 0; i < known.size(); ++i) {
        has_v4 =
            has_v4 || (known[i].transport == ice::Transport::Tcp && known[i].address.ip.is_v4());
    }
    config.family = has_v4 ? turn::FamilyWish::ServerDefault : turn::FamilyWish::V6;
    tcp_relay_.emplace(
        TcpAllocation{.machine = TcpRelay{now, std::move(config), random_.fork()},
                      .control = stream,
                      .server = server,
                      .wire = path,
                      .relayed = {},
                      .report = asked(SourceReport::Kind::Turn, server.transport, path, now)});
    tcp_relay_->report.relays = turn::RelayProtocol::Tcp;
}

// What has not answered has had its time.
void Connector::give_up_tcp_relay(Instant now) {
    std::erase_if(attempts_, [&](Attempt& attempt) {
        const bool is_given_up = attempt.state == SourceState::Pending &&
                                 std::holds_alternative<TcpRelaySource>(attempt.source);
        if (is_given_up) {
            attempt.report.outcome = SourceReport::Outcome::Silent;
            attempt.report.took = now - attempt.report.asked;
            past_tcp_relays_.push_back(attempt.report);
            close_stream(attempt.stream);
        }
        return is_given_up;
    });
    if (tcp_relay_) lose_tcp_relay(now, {.kind = turn::FailureKind::TimedOut});
}

// ---- what the relay says -----------------------------------------------------------------------

void Connector::take_tcp_relay_events(Instant now) {
    while (tcp_relay_) {
        const auto event = tcp_relay_->machine.poll_event();
        if (!event) return;
        if (phase_ == Phase::Released) {
            if (std::holds_alternative<TcpRelay::Lost>(*event) ||
                std::holds_alternative<TcpRelay::Released>(*event)) {
                const StreamId control = tcp_relay_->control;
                tcp_relay_.reset();
                close_stream(control);
            }
        } else if (const auto* const allocated = std::get_if<TcpRelay::Allocated>(&*event)) {
            handle_tcp_allocated(now, *allocated);
        } else if (const auto* const lost = std::get_if<TcpRelay::Lost>(&*event)) {
            lose_tcp_relay(now, lost->failure);
        } else if (const auto* const attempt = std::get_if<TcpRelay::Attempted>(&*event)) {
            accept_relayed_peer(now, *attempt);
        } else if (const auto* const due = std::get_if<TcpRelay::StreamDue>(&*event)) {
            if (Stream* const stream = streams_.find(due->stream)) {
                stream->phase = Stream::Phase::Opening;
                want_stream(*stream, tcp_relay_->server);
            }
        } else if (const auto* const bound = std::get_if<TcpRelay::Bound>(&*event)) {
            bind_relayed_peer(now, bound->stream);
        } else if (const auto* const failed = std::get_if<TcpRelay::Failed>(&*event)) {
            lose_relayed_peer(now, failed->stream, failure_of(failed->failure));
        }
    }
}

void Connector::handle_tcp_allocated(Instant now, const TcpRelay::Allocated& allocated) {
    SourceReport& report = tcp_relay_->report;
    report.outcome = SourceReport::Outcome::Answered;
    report.took = now - report.asked;
    report.mapped = allocated.mapped;
    tcp_relay_->relayed = allocated.relayed;
    report.relayed = {allocated.relayed};
    for (const IpAddress& peer : peers_) {
        if (peer.family() == allocated.relayed.ip.family()) {
            tcp_relay_->machine.permit(now, peer);
        }
    }
    for (const ice::TcpType type : {ice::TcpType::Passive, ice::TcpType::Active}) {
        ice::GatheredCandidate gathered = ice::tcp_relayed_candidate(allocated.relayed, type);
        if (config_.policy != CandidatePolicy::RelayedOnly) gathered.related = allocated.mapped;
        gathered.server = tcp_relay_->wire.remote.ip;
        add_gathered(now, gathered);
    }
}

// RFC 6062 Section 5.5: with the allocation its connections end.
void Connector::lose_tcp_relay(Instant now, turn::Failure failure) {
    SourceReport report = tcp_relay_->report;
    report.outcome = failure.kind == turn::FailureKind::TimedOut ? SourceReport::Outcome::Silent
                                                                 : SourceReport::Outcome::Refused;
    report.took = now - report.asked;
    report.failure = failure;
    past_tcp_relays_.push_back(std::move(report));
    const std::optional<SocketAddress> relayed = tcp_relay_->relayed;
    const SocketAddress server = tcp_relay_->wire.remote;
    close_stream(tcp_relay_->control);
    std::vector<StreamId> ended;
    for (const Stream& stream : streams_.all()) {
        if (stream.use == Stream::Use::RelayedPeer) ended.push_back(stream.id);
    }
    for (const StreamId stream : ended) {
        lose_relayed_peer(now, stream, ice::ConnectFailure::Unreachable);
    }
    tcp_relay_.reset();
    if (relayed) {
        // A restart must not tell of it again.
        const auto is_its = [&](const auto& base, ice::Transport transport) {
            return base == *relayed && transport == ice::Transport::Tcp;
        };
        std::erase_if(gathered_, [&](const ice::GatheredCandidate& gathered) {
            return is_its(gathered.base, gathered.protocol.transport);
        });
        std::erase_if(local_.candidates, [&](const ice::Candidate& candidate) {
            return is_its(candidate.base, candidate.transport);
        });
        agent_.remove_base(now, *relayed, ice::Transport::Tcp);
    }
    queue_event(RelayFailed{server, std::move(failure)});
}

// ---- connections through it --------------------------------------------------------------------

void Connector::open_relayed_peer(Instant now, const ice::ConnectionWanted& wanted) {
    const Path path{{tcp_relay_->wire.local.ip, ice::discard_port}, tcp_relay_->wire.remote};
    Stream& stream = streams_.add(Stream::Use::RelayedPeer, Stream::Phase::Planned, path);
    stream.connection = wanted.id;
    stream.relayed_pair = wanted.path;
    tcp_relay_->machine.connect(now, stream.id, wanted.path.remote);
    take_tcp_relay_events(now);
}

void Connector::accept_relayed_peer(Instant now, const TcpRelay::Attempted& attempt) {
    const Path path{{tcp_relay_->wire.local.ip, ice::discard_port}, tcp_relay_->wire.remote};
    Stream& stream = streams_.add(Stream::Use::RelayedPeer, Stream::Phase::Opening, path);
    if (!tcp_relay_->machine.accept(now, stream.id, attempt)) return streams_.erase(stream.id);
    stream.relayed_pair = Path{*tcp_relay_->relayed, attempt.peer};
    want_stream(stream, tcp_relay_->server);
}

// The peer is at the other end from here on.
void Connector::bind_relayed_peer(Instant now, StreamId id) {
    Stream* const stream = streams_.find(id);
    if (stream == nullptr) return;
    if (stream->connection)
        return agent_.handle_connected(now, *stream->connection, stream->pair());
    stream->connection = agent_.handle_accepted(now, stream->pair());
    if (!stream->connection) close_stream(id);
}

void Connector::lose_relayed_peer(Instant now, StreamId id, ice::ConnectFailure failure) {
    const Stream* const stream = streams_.find(id);
    if (stream == nullptr) return;
    const auto connection = stream->connection;
    const bool was_bound = tcp_relay_ && tcp_relay_->machine.is_bound(id);
    close_stream(id);
    if (!connection) return;
    if (was_bound) {
        agent_.handle_connection_closed(now, *connection);
    } else {
        agent_.handle_connect_failed(now, *connection, failure);
    }
}

}  // namespace stile::connect
