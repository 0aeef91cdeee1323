// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/connect/connector.hpp>
#include <stile/connect/packet_framing.hpp>
#include <stile/stun/message_view.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

static_assert(Machine<Connector>);

namespace {

RouteKind kind_of(ice::CandidateType local, ice::CandidateType remote) {
    return local == ice::CandidateType::Relayed || remote == ice::CandidateType::Relayed
               ? RouteKind::Relayed
               : RouteKind::Direct;
}

// The allocation is over.
bool has_ended(const turn::Client::Event& event) {
    using Client = turn::Client;
    return std::holds_alternative<Client::Failed>(event) ||
           std::holds_alternative<Client::Expired>(event) ||
           std::holds_alternative<Client::Released>(event);
}

}  // namespace

Connector::Connector(Instant now, ConnectorConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      given_{config_.stun_servers, config_.turn_servers, config_.nat64_prefix},
      random_(std::move(random)),
      now_(now),
      agent_(now, config_.ice, random_.fork()) {
    STILE_ASSERT(config_.hosts.size() <= limits::most_hosts);
    STILE_ASSERT(config_.stun_servers.size() <= limits::most_servers);
    STILE_ASSERT(config_.turn_servers.size() <= limits::most_turn_servers);
    STILE_ASSERT(config_.listeners.size() <= limits::most_listeners);
    translate_servers();
    local_.credentials = agent_.local_credentials();
    local_.ta = config_.ice.ta;
    local_.renomination = config_.ice.renomination;
    for (const SocketAddress& host : config_.hosts) {
        if (may_use(host)) add_gathered(now, ice::host_candidate(host));
    }
    for (const Listener& listener : config_.listeners) gather_listener(now, listener);
    ask_sources(now);
    see(now);
}

// ---- inputs ----------------------------------------------------------------------------------

std::optional<Received> Connector::handle_datagram(Instant now, const Path& path,
                                                   BytesView datagram) {
    std::optional<Received> received;
    if (stun::looks_like_stun(datagram)) {
        const auto message = stun::MessageView::parse(datagram);
        if (!message) return std::nullopt;
        note_alive(now, path.local);
        for (Probe& probe : probes_) {
            if (probe.machine.handle_message(now, path, *message)) {
                see(now);
                return std::nullopt;
            }
        }
    }
    const auto relay = std::ranges::find_if(
        relays_, [&](const Relay& other) { return other.wire == path && !other.stream; });
    if (relay != relays_.end()) {
        received = handle_relayed(now, *relay, datagram);
    } else if (phase_ == Phase::Running) {
        received = deliver(now, path, datagram);
    }
    see(now);
    return received;
}

std::optional<Received> Connector::handle_relayed(Instant now, Relay& relay, BytesView datagram) {
    const auto data = relay.client.handle_message(now, datagram);
    if (!data || !relay.relayed || phase_ == Phase::Released) return std::nullopt;
    return deliver(now, Path{*relay.relayed, data->peer}, data->payload);
}

std::optional<Received> Connector::deliver(Instant now, const Path& pair, BytesView payload) {
    if (!stun::looks_like_stun(payload)) return Received{pair, payload};
    admit_if_aside(now, pair.remote);
    (void)agent_.handle_datagram(now, pair, payload);
    return std::nullopt;
}

void Connector::handle_timeout(Instant now) {
    STILE_ASSERT(config_.pacing == Pacing::Own);
    handle_timeout(now, pacer_);
}

void Connector::handle_timeout(Instant now, ice::Pacer& shared) {
    start_due_source(now, shared);
    for (Probe& probe : probes_) probe.machine.handle_timeout(now);
    for (Relay& relay : relays_) relay.client.handle_timeout(now);
    if (phase_ == Phase::Running) {
        keep_relays_alive(now);
        agent_.handle_timeout(now, shared);
    }
    see(now);
}

std::expected<void, DescriptionError> Connector::set_remote_description(
    Instant now, const Description& description) {
    set_silent_aside(now);
    const ice::RemoteParameters remote{.credentials = description.credentials,
                                       .kind = description.kind,
                                       .ta = description.ta,
                                       .renomination = description.renomination};
    if (const auto set = agent_.set_remote(now, remote); !set) {
        return std::unexpected(set.error() == ice::CredentialsError::AlreadySet
                                   ? DescriptionError::OtherCredentials
                                   : DescriptionError::BadCredentials);
    }
    if (!unlikely_from_) unlikely_from_ = now + limits::unlikely_patience;
    for (const ice::Candidate& candidate : description.candidates) {
        add_remote_candidate(now, candidate);
    }
    if (description.gathering == Gathering::Complete) end_of_remote_candidates(now);
    see(now);
    return {};
}

bool Connector::add_remote_candidate(Instant now, const ice::Candidate& candidate) {
    const bool added = is_unlikely(candidate) ? set_aside(candidate) : admit(now, candidate);
    see(now);
    return added;
}

void Connector::end_of_remote_candidates(Instant now) {
    remote_gathering_ = Gathering::Complete;
    consider_remote_ended(now);
    see(now);
}

void Connector::send(Instant now, BytesView payload) {
    if (!selected_) return;
    if (Relay* const relay = find_relay(selected_->pair.local)) {
        send_relayed(now, *relay, selected_->pair.remote, payload);
    } else if (selected_->connection) {
        const Stream* const stream = streams_.find(*selected_->connection);
        const bool has_room = streams_.queued() < limits::most_queued_transmits;
        if (stream != nullptr && has_room && payload.size() <= most_framed_octets) {
            streams_.queue(stream->id, framed(payload));
        }
    } else if (queued_.size() < limits::most_queued_transmits) {
        queued_.push_back({selected_->pair, to_bytes(payload)});
    }
    see(now);
}

void Connector::restart(Instant now, ice::PreviousPair previous) {
    STILE_ASSERT(phase_ == Phase::Running);
    agent_.restart(now, previous);
    if (previous == ice::PreviousPair::Abandon) selected_.reset();
    // What the new generation does not ask for again runs out, but for the pair in use: it stays
    // until the new generation has one, which may be never.
    std::vector<IpAddress> kept;
    for (const IpAddress& peer : std::exchange(peers_, {})) {
        if (selected_ && selected_->pair.remote.ip == peer) {
            kept.push_back(peer);
            continue;
        }
        for (Relay& relay : relays_) relay.client.forget(peer);
    }
    peers_ = std::move(kept);
    // Sockets and living relays are what they were; how NATs show them is asked again.
    drop_stream_probes();
    probes_.clear();
    forget_dead_relays();
    std::erase_if(attempts_,
                  [](const Attempt& attempt) { return attempt.state == SourceState::Done; });
    std::erase_if(gathered_, [](const ice::GatheredCandidate& gathered) {
        return gathered.type == ice::CandidateType::ServerReflexive;
    });
    guessed_ = 0;
    guessed_for_.clear();
    alive_.clear();
    silent_.clear();
    aside_.clear();
    remote_gathering_ = Gathering::Ongoing;
    unlikely_from_.reset();
    local_.credentials = agent_.local_credentials();
    local_.candidates.clear();
    local_.gathering = Gathering::Ongoing;
    for (const ice::GatheredCandidate& gathered : gathered_) {
        if (const auto candidate = agent_.add_local_candidate(now, gathered)) tell(*candidate);
    }
    for (const Mapped& mapped : mapped_) gather_mapped(now, mapped);
    ask_sources(now);
    see(now);
}

void Connector::release(Instant now) {
    phase_ = Phase::Released;
    selected_.reset();
    queued_.clear();
    waiting_.clear();
    stream_servers_.clear();
    received_.clear();
    drop_stream_probes();
    probes_.clear();
    for (const Attempt& attempt : std::exchange(attempts_, {})) close_stream(attempt.stream);
    const std::vector<Stream> streams = streams_.all();
    for (const Stream& stream : streams) {
        if (stream.use == Stream::Use::Peer) close_stream(stream.id);
    }
    for (Relay& relay : relays_) {
        relay.held.clear();
        relay.client.release(now);
    }
    see(now);
}

// ---- gathering -------------------------------------------------------------------------------

// A host with IPv4 needs no NAT64, and gets a shorter way without.
void Connector::translate_servers() {
    const bool has_v4 = std::ranges::any_of(
        config_.hosts, [](const SocketAddress& host) { return host.ip.is_v4(); });
    if (has_v4) config_.nat64_prefix.reset();
    if (!config_.nat64_prefix) return;
    const auto translate = [&](SocketAddress& server) {
        if (const auto embedded = config_.nat64_prefix->embed(server.ip)) server.ip = *embedded;
    };
    for (SocketAddress& server : config_.stun_servers) translate(server);
    for (TurnServer& server : config_.turn_servers) translate(server.address);
}

// Transactions are paced as checks are. RFC 8445 Section 14.1. Relays come first: they take the
// longest and always work.
void Connector::ask_sources(Instant now) {
    waiting_.clear();
    // Round by round, so that a server which is gone delays those before it not at all; in each
    // server by server: which sockets lead out is known soonest so.
    for (std::size_t rank = 0; rank < limits::most_turn_servers; ++rank) {
        if (rank < config_.turn_servers.size()) {
            const TurnServer& server = config_.turn_servers[rank];
            const bool is_there = std::ranges::any_of(relays_, [&](const Relay& relay) {
                return !relay.stream && relay.wire.remote == server.address;
            });
            if (!is_there && !turn::is_stream(server.transport)) waiting_.emplace_back(server);
        }
        if (rank >= config_.stun_servers.size()) continue;
        const SocketAddress& server = config_.stun_servers[rank];
        for (const SocketAddress& host : config_.hosts) {
            if (may_use(host) && can_reach(host, server)) waiting_.emplace_back(Path{host, server});
        }
    }
    ask_by_listeners();
    next_source_ = now;
    const Duration round = config_.ice.ta * static_cast<Duration::rep>(waiting_.size());
    gathering_deadline_ = now + limits::source_deadline + round;
    // RFC 8445 Section 14.3: every source is asked once before any is asked again.
    schedule_.rto = std::max(stun::RetransmitSchedule{}.rto, round);
    stream_probes_until_ = now + limits::stream_source_deadline + round;
    begin_sources(now);
    plan_stream_relays(now);
}

void Connector::begin_sources(Instant now) {
    if (config_.pacing == Pacing::Own) start_due_source(now, pacer_);
}

// One source, if its turn has come.
void Connector::start_due_source(Instant now, ice::Pacer& pacer) {
    if (waiting_.empty() || now < next_source_) return;
    if (!source_slot_) source_slot_ = pacer.reserve(now);
    if (now < *source_slot_) return;
    source_slot_.reset();
    const Source source = std::move(waiting_.front());
    waiting_.pop_front();
    next_source_ = now + config_.ice.ta;
    if (const auto* const path = std::get_if<Path>(&source)) {
        probes_.push_back(
            {ReflexiveProbe{now, *path, schedule_, random_}, SourceState::Pending,
             asked(SourceReport::Kind::Stun, turn::ClientTransport::Udp, *path, now)});
    } else if (const auto* const stream = std::get_if<StreamSource>(&source)) {
        start_stream_probe(now, *stream);
    } else {
        start_relay(now, std::get<TurnServer>(source));
    }
}

// One allocation a server, from the best socket of its family, one that leads out if that is known:
// more would cost the server ports and give the peer the same relay again.
void Connector::start_relay(Instant now, const TurnServer& server) {
    const auto is_fit = [&](const SocketAddress& candidate) {
        return may_use(candidate) && can_reach(candidate, server.address);
    };
    auto host = std::ranges::find_if(config_.hosts, [&](const SocketAddress& candidate) {
        return is_fit(candidate) && std::ranges::find(alive_, candidate) != alive_.end();
    });
    if (host == config_.hosts.end()) host = std::ranges::find_if(config_.hosts, is_fit);
    if (host == config_.hosts.end()) return;
    relays_.push_back({
        .wire = {*host, server.address},
        .client = turn::Client{now, relay_config(server), random_.fork()},
        .relayed = {},
        .state = SourceState::Pending,
        .held = {},
        .report = asked(SourceReport::Kind::Turn, server.transport, {*host, server.address}, now),
    });
}

SourceReport Connector::asked(SourceReport::Kind kind, turn::ClientTransport transport,
                              const Path& path, Instant now) {
    return {.kind = kind,
            .transport = transport,
            .path = path,
            .outcome = SourceReport::Outcome::Pending,
            .mapped = {},
            .relayed = {},
            .failure = {},
            .asked = now,
            .took = {}};
}

turn::ClientConfig Connector::relay_config(const TurnServer& server) const {
    turn::ClientConfig config;
    config.transport = server.transport;
    config.retransmit = schedule_;
    config.username = server.username;
    config.password = server.password;
    return config;
}

bool Connector::may_use(const SocketAddress& host) const {
    return !host.ip.is_loopback() || config_.loopback == LoopbackCandidates::Admitted;
}

bool Connector::can_reach(const SocketAddress& host, const SocketAddress& server) const {
    return host.ip.family() == server.ip.family() &&
           host.ip.is_loopback() == server.ip.is_loopback();
}

void Connector::add_gathered(Instant now, const ice::GatheredCandidate& gathered) {
    if (config_.policy == CandidatePolicy::RelayedOnly &&
        gathered.type != ice::CandidateType::Relayed) {
        return;
    }
    const auto candidate = agent_.add_local_candidate(now, gathered);
    if (!candidate) return;
    gathered_.push_back(gathered);
    tell(*candidate);
}

void Connector::tell(const ice::Candidate& candidate) {
    local_.candidates.push_back(candidate);
    queue_event(CandidateGathered{candidate});
}

void Connector::permit(Instant now, const IpAddress& peer) {
    if (std::ranges::find(peers_, peer) != peers_.end()) return;
    if (peers_.size() == limits::most_peers) return;
    peers_.push_back(peer);
    for (Relay& relay : relays_) {
        if (relay.relayed && relay.relayed->ip.family() == peer.family()) {
            relay.client.permit(now, peer);
        }
    }
}

void Connector::consider_complete(Instant now) {
    if (local_.gathering == Gathering::Complete) return;
    const auto is_pending = [](const Probe& probe) {
        return probe.state == SourceState::Pending && !probe.stream;
    };
    const bool waiting = awaits_servers() || !waiting_.empty() || !stream_servers_.empty() ||
                         std::ranges::any_of(probes_, is_pending) || awaits_relay() ||
                         (awaits_stream_probe() && now < stream_probes_until_);
    if (waiting && now < *gathering_deadline_) return;
    gathering_deadline_.reset();
    local_.gathering = Gathering::Complete;
    agent_.end_of_local_candidates(now);
    queue_event(GatheringCompleted{});
}

// ---- what the machines inside say --------------------------------------------------------------

void Connector::see(Instant now) {
    now_ = std::max(now_, now);
    for (Probe& probe : probes_) take_probe_events(now, probe);
    for (Relay& relay : relays_) take_relay_events(now, relay);
    if (phase_ == Phase::Released) return;
    start_due_stream_relay(now);
    try_unlikely(now);
    consider_complete(now);
    take_agent_events(now);
}

void Connector::take_probe_events(Instant now, Probe& probe) {
    while (const auto event = probe.machine.poll_event()) {
        probe.state = SourceState::Done;
        const auto* const found = std::get_if<ReflexiveProbe::Found>(&*event);
        probe.report.took = now - probe.report.asked;
        probe.report.outcome = SourceReport::Outcome::Silent;
        if (found == nullptr) continue;
        probe.report.outcome = SourceReport::Outcome::Answered;
        probe.report.mapped = found->mapped;
        const Path& path = probe.machine.path();
        add_gathered(now, {.type = ice::CandidateType::ServerReflexive,
                           .address = found->mapped,
                           .base = path.local,
                           .component = {},
                           .related = path.local,
                           .server = path.remote.ip,
                           .local_preference = {},
                           .protocol = probe.protocol});
        if (!probe.stream) guess_ports(now, path.local);
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
        }
    }
}

void Connector::handle_allocated(Instant now, Relay& relay,
                                 const turn::Client::Allocated& allocated) {
    relay.state = SourceState::Done;
    relay.report.outcome = SourceReport::Outcome::Answered;
    relay.report.took = now - relay.report.asked;
    relay.report.mapped = allocated.mapped;
    // Another server was quicker: this one is not told of, and given back.
    if (relay.stream && has_relay()) return relay.client.release(now);
    relay.relayed = allocated.relayed.front();
    if (!relay.stream) relay.keepalive_due = now + limits::relay_keepalive;
    relay.report.relayed = relay.relayed;
    if (!relay.stream) give_up_rivals(now, relay);
    for (const IpAddress& peer : peers_) {
        if (peer.family() == relay.relayed->ip.family()) relay.client.permit(now, peer);
    }
    const IpAddress server = relay.wire.remote.ip;
    // How a NAT shows a connection to the server is of no use to anybody else.
    if (!relay.stream) {
        add_gathered(now, {.type = ice::CandidateType::ServerReflexive,
                           .address = allocated.mapped,
                           .base = relay.wire.local,
                           .component = {},
                           .related = relay.wire.local,
                           .server = server,
                           .local_preference = {}});
    }
    add_gathered(
        now, {.type = ice::CandidateType::Relayed,
              .address = *relay.relayed,
              .base = *relay.relayed,
              .component = {},
              .related = config_.policy == CandidatePolicy::RelayedOnly
                             ? std::nullopt
                             : std::optional{allocated.mapped},
              .server = server,
              .local_preference =
                  relay.stream ? std::optional{limits::stream_relay_preference} : std::nullopt});
}

void Connector::lose_relay(Instant now, Relay& relay, turn::Failure failure) {
    relay.state = SourceState::Done;
    relay.keepalive_due.reset();
    relay.held.clear();
    if (const auto lost = std::exchange(relay.relayed, {})) {
        // A restart must not tell of it again.
        std::erase_if(gathered_, [&](const auto& gathered) { return gathered.base == *lost; });
        std::erase_if(local_.candidates, [&](const auto& known) { return known.base == *lost; });
        agent_.remove_base(now, *lost);
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
    if (!relay.relayed) return;
    for (const Queued& queued : std::exchange(relay.held, {})) {
        if (queued.path.remote.ip == peer) {
            agent_.handle_send_failed(now, queued.path);
        } else {
            relay.held.push_back(queued);
        }
    }
}

void Connector::note_channel(const Relay& relay, const SocketAddress& peer) {
    if (!selected_ || selected_->pair.remote != peer) return;
    if (find_relay(selected_->pair.local) == &relay) queue_event(RouteChanged{*route()});
}

// A check that comes before its permission would be dropped and cost a retransmission's time.
void Connector::send_relayed(Instant now, Relay& relay, const SocketAddress& peer,
                             BytesView payload) {
    const auto sent = relay.client.send(now, peer, payload);
    if (sent != turn::Client::Sent::NotPermitted) return;
    permit(now, peer.ip);
    if (relay.held.size() == limits::most_held) relay.held.pop_front();
    relay.held.push_back({{*relay.relayed, peer}, to_bytes(payload)});
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

void Connector::take_agent_events(Instant now) {
    while (const auto event = agent_.poll_event()) {
        if (const auto* const selected = std::get_if<ice::PairSelected>(&*event)) {
            select(now, *selected);
        } else if (const auto* const changed = std::get_if<ice::StateChanged>(&*event)) {
            if (changed->state == ice::State::Completed) drop_stream_probes();
        } else if (std::holds_alternative<ice::ConsentExpired>(*event)) {
            selected_.reset();
            queue_event(RouteLost{});
        } else if (const auto* const failed = std::get_if<ice::Failed>(&*event)) {
            // Data stays where it was before the restart. RFC 8445 Section 12.1.
            if (!agent_.selected()) selected_.reset();
            queue_event(PathFailed{failed->reason});
        } else if (const auto* const wanted = std::get_if<ice::ConnectionWanted>(&*event)) {
            open_peer_stream(*wanted);
        } else if (const auto* const released = std::get_if<ice::ConnectionReleased>(&*event)) {
            if (const Stream* const stream = streams_.find(released->id)) close_stream(stream->id);
        }
    }
}

void Connector::select(Instant now, const ice::PairSelected& selected) {
    selected_ = {selected.path, selected.local_type, selected.remote_type, selected.round_trip,
                 selected.connection};
    if (Relay* const relay = find_relay(selected.path.local)) {
        relay->client.bind_channel(now, selected.path.remote);
    }
    queue_event(RouteChanged{*route()});
}

// ---- outputs ---------------------------------------------------------------------------------

std::optional<Transmit> Connector::poll_transmit() {
    if (!queued_.empty()) {
        current_transmit_ = std::move(queued_.front().payload);
        const Path path = queued_.front().path;
        queued_.pop_front();
        return Transmit{path, current_transmit_};
    }
    for (Probe& probe : probes_) {
        while (const auto transmit = probe.machine.poll_transmit()) {
            if (!probe.stream) return transmit;
            queue_on_stream(*probe.stream, to_bytes(transmit->payload));
        }
    }
    for (;;) {
        for (Relay& relay : relays_) {
            while (const auto bytes = relay.client.poll_transmit()) {
                if (!relay.stream) {
                    note_sent(relay);
                    return Transmit{relay.wire, *bytes};
                }
                queue_on_stream(*relay.stream, to_bytes(*bytes));
            }
        }
        if (phase_ == Phase::Released) return std::nullopt;
        const auto transmit = agent_.poll_transmit();
        if (!transmit) return std::nullopt;
        if (transmit->connection) {
            const Stream* const stream = streams_.find(*transmit->connection);
            if (stream != nullptr) streams_.queue(stream->id, framed(transmit->payload));
        } else if (Relay* const relay = find_relay(transmit->path.local)) {
            send_relayed(now_, *relay, transmit->path.remote, transmit->payload);
        } else if (std::ranges::find(config_.hosts, transmit->path.local) != config_.hosts.end()) {
            return transmit;
        }  // else from a relay that is lost meanwhile
    }
}

std::optional<Event> Connector::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<Instant> Connector::poll_timeout() const {
    std::optional<Instant> soonest;
    if (phase_ == Phase::Running) {
        soonest = earlier(agent_.poll_timeout(), gathering_deadline_);
        if (!waiting_.empty()) soonest = earlier(soonest, source_slot_.value_or(next_source_));
        if (!stream_servers_.empty()) soonest = earlier(soonest, next_stream_relay_);
        if (gathering_deadline_ && awaits_stream_probe() && now_ < stream_probes_until_) {
            soonest = earlier(soonest, stream_probes_until_);
        }
        for (const Relay& relay : relays_) soonest = earlier(soonest, relay.keepalive_due);
        const bool holds = !silent_.empty() || !aside_.empty();
        if (holds && unlikely_from_ > now_) soonest = earlier(soonest, unlikely_from_);
    }
    for (const Probe& probe : probes_) soonest = earlier(soonest, probe.machine.poll_timeout());
    for (const Relay& relay : relays_) soonest = earlier(soonest, relay.client.poll_timeout());
    return soonest;
}

std::optional<Route> Connector::route() const {
    if (!selected_) return std::nullopt;
    Route route{.pair = selected_->pair,
                .wire = selected_->pair,
                .channel = {},
                .kind = kind_of(selected_->local_type, selected_->remote_type),
                .local_type = selected_->local_type,
                .remote_type = selected_->remote_type,
                .round_trip = selected_->round_trip};
    if (const Relay* const relay = find_relay(selected_->pair.local)) {
        route.wire = relay->wire;
        route.stream = relay->stream;
        route.channel = relay->client.channel_of(now_, selected_->pair.remote);
    }
    if (selected_->connection) {
        if (const Stream* const stream = streams_.find(*selected_->connection)) {
            route.wire = stream->path;
            route.stream = stream->id;
        }
    }
    return route;
}

Connector::Relay* Connector::find_relay(const SocketAddress& relayed) {
    const auto relay = std::ranges::find(relays_, std::optional{relayed}, &Relay::relayed);
    return relay == relays_.end() ? nullptr : &*relay;
}

const Connector::Relay* Connector::find_relay(const SocketAddress& relayed) const {
    const auto relay = std::ranges::find(relays_, std::optional{relayed}, &Relay::relayed);
    return relay == relays_.end() ? nullptr : &*relay;
}

// The oldest is lost: route() and local_description() tell what is so now.
void Connector::queue_event(Event event) {
    if (events_.size() == limits::most_queued_events) events_.pop_front();
    events_.push_back(std::move(event));
}

}  // namespace stile::connect
