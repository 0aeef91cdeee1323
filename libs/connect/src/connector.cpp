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
    local_.concealment = config_.concealment;
    for (const SocketAddress& host : config_.hosts) {
        if (may_use(host)) add_gathered(now, ice::host_candidate(host));
    }
    for (const Listener& listener : config_.listeners) gather_listener(now, listener);
    for (const MappedPort& mapped : config_.mapped_ports) take_mapped(now, mapped);
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
        note_alive(now, path);
        for (Probe& probe : probes_) {
            if (probe.machine.handle_message(now, path, *message)) {
                see(now);
                return std::nullopt;
            }
        }
    }
    const auto relay = std::ranges::find_if(relays_, [&](const Relay& other) {
        if (turn::is_stream(other.transport)) return false;
        return other.wire == path || (other.move && other.move->wire == path);
    });
    if (relay != relays_.end()) {
        received = handle_relayed(now, *relay, datagram);
    } else if (phase_ == Phase::Running) {
        received = deliver(now, path, datagram);
    }
    see(now);
    return received;
}

std::optional<Received> Connector::deliver(Instant now, const Path& pair, BytesView payload) {
    if (!stun::looks_like_stun(payload)) {
        if (!selected_ || selected_->pair != pair) {
            agent_.handle_data(now, {.path = pair, .connection = {}});
        }
        return Received{pair, payload};
    }
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
    if (tcp_relay_) tcp_relay_->machine.handle_timeout(now);
    if (phase_ == Phase::Running) {
        keep_relays_alive(now);
        give_up_moves(now);
        agent_.handle_timeout(now, shared);
        start_between(now, shared);
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
    if (!checks_began_) checks_began_ = now;
    if (const auto origin = std::exchange(previous_origin_, {})) {
        const auto is_told = [&](const ice::Candidate& known) { return known.address == *origin; };
        if (std::ranges::none_of(description.candidates, is_told)) agent_.doubt_previous(now);
    }
    if (!unlikely_from_) unlikely_from_ = now + limits::unlikely_patience;
    for (const ice::Candidate& candidate : description.candidates) {
        add_remote_candidate(now, candidate);
    }
    for (const NamedCandidate& named : description.named) add_remote_candidate(now, named);
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
    if (selected_->connection) {
        const Stream* const stream = streams_.find(*selected_->connection);
        const bool has_room = streams_.queued() < limits::most_queued_transmits;
        if (stream != nullptr && has_room && payload.size() <= most_framed_octets) {
            streams_.queue(stream->id, framed(payload));
        }
    } else if (Relay* const relay = find_relay(selected_->pair.local)) {
        send_relayed(now, *relay, selected_->pair.remote, payload);
    } else if (queued_.size() < limits::most_queued_transmits) {
        queued_.push_back({selected_->pair, to_bytes(payload)});
    }
    see(now);
}

// What the peer tells first of the candidate that we send to, for as long as it has it: its socket,
// or its relay. Unknown of one that was discovered.
std::optional<SocketAddress> Connector::selected_origin() const {
    if (!selected_ || selected_->connection) return std::nullopt;
    const ice::RemoteCandidates& known = agent_.remote_candidates();
    for (std::uint16_t i = 0; i < known.size(); ++i) {
        const ice::Candidate& candidate = known[i];
        if (candidate.address != selected_->pair.remote) continue;
        if (candidate.transport != ice::Transport::Udp) continue;
        if (candidate.type == ice::CandidateType::ServerReflexive) return candidate.related;
        if (candidate.type != ice::CandidateType::PeerReflexive) return candidate.address;
    }
    return std::nullopt;
}

void Connector::restart(Instant now, ice::PreviousPair previous) {
    STILE_ASSERT(phase_ == Phase::Running);
    previous_origin_ = selected_origin();
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
        if (tcp_relay_) tcp_relay_->machine.forget(peer);
    }
    peers_ = std::move(kept);
    // Sockets and living relays are what they were; how NATs show them is asked again.
    drop_stream_probes();
    probes_.clear();
    recalled_.clear();
    config_.reflexive.clear();
    forget_dead_relays();
    tcp_relay_plan_ = TcpRelayPlan::NotMade;
    tcp_relay_servers_.clear();
    past_tcp_relays_.clear();
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
    named_.clear();
    named_until_.reset();
    unresolved_.clear();
    remote_gathering_ = Gathering::Ongoing;
    checks_began_.reset();
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
    forget_sources();
    stream_servers_.clear();
    tcp_relay_servers_.clear();
    received_.clear();
    drop_stream_probes();
    probes_.clear();
    for (const Attempt& attempt : std::exchange(attempts_, {})) close_stream(attempt.stream);
    const std::vector<Stream> streams = streams_.all();
    for (const Stream& stream : streams) {
        if (stream.connection || stream.use == Stream::Use::RelayedPeer) close_stream(stream.id);
    }
    if (tcp_relay_) tcp_relay_->machine.release(now);
    // What nothing leads to runs out.
    for (Relay& relay : relays_) leave_move(relay);
    std::erase_if(relays_, [](const Relay& relay) { return relay.stranded_until.has_value(); });
    for (Relay& relay : relays_) {
        relay.held.clear();
        relay.client.release(now);
    }
    see(now);
}

// ---- what the machines inside say --------------------------------------------------------------

void Connector::see(Instant now) {
    now_ = std::max(now_, now);
    for (Probe& probe : probes_) take_probe_events(now, probe);
    for (Relay& relay : relays_) take_relay_events(now, relay);
    take_tcp_relay_events(now);
    if (phase_ == Phase::Released) return;
    if (std::exchange(ask_for_lost_, AskForLost::No) == AskForLost::Yes) {
        forget_dead_relays();
        ask_from_anew(now, std::nullopt);
    }
    start_due_stream_relay(now);
    consider_tcp_relay(now);
    forget_late_names(now);
    try_unlikely(now);
    if (const auto due = rest_due(); due && now >= *due) begin_rest(now);
    consider_complete(now);
    take_agent_events(now);
}

void Connector::take_agent_events(Instant now) {
    while (const auto event = agent_.poll_event()) {
        if (const auto* const selected = std::get_if<ice::PairSelected>(&*event)) {
            select(now, *selected);
        } else if (const auto* const changed = std::get_if<ice::StateChanged>(&*event)) {
            if (changed->state == ice::State::Completed) drop_stream_probes();
        } else if (std::holds_alternative<ice::ConsentExpired>(*event)) {
            const bool was_said = route().has_value();
            selected_.reset();
            if (was_said) queue_event(RouteLost{});
        } else if (const auto* const failed = std::get_if<ice::Failed>(&*event)) {
            // Data stays where it was before the restart. RFC 8445 Section 12.1.
            if (!agent_.selected()) selected_.reset();
            queue_event(PathFailed{failed->reason});
        } else if (const auto* const wanted = std::get_if<ice::ConnectionWanted>(&*event)) {
            if (tcp_relay_ && wanted->path.local == tcp_relay_->relayed) {
                open_relayed_peer(now, *wanted);
            } else {
                open_peer_stream(*wanted);
            }
        } else if (const auto* const released = std::get_if<ice::ConnectionReleased>(&*event)) {
            if (const Stream* const stream = streams_.find(released->id)) close_stream(stream->id);
        }
    }
}

void Connector::select(Instant now, const ice::PairSelected& selected) {
    selected_ = {selected.path, selected.local_type, selected.remote_type, selected.round_trip,
                 selected.connection};
    if (Relay* const relay = find_relay(selected.path.local); relay && !selected.connection) {
        relay->client.bind_channel(now, selected.path.remote);
    }
    if (const auto found = route()) queue_event(RouteChanged{*found});
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
    while (tcp_relay_) {
        const auto out = tcp_relay_->machine.poll_transmit();
        if (!out) break;
        queue_on_stream(out->stream.value_or(tcp_relay_->control), to_bytes(out->octets));
    }
    for (;;) {
        for (Relay& relay : relays_) {
            while (relay.move) {
                const auto bytes = relay.client.poll_move_transmit();
                if (!bytes) break;
                if (!relay.move->stream) return Transmit{relay.move->wire, *bytes};
                queue_on_stream(*relay.move->stream, to_bytes(*bytes));
            }
            while (const auto bytes = relay.client.poll_transmit()) {
                if (relay.stranded_until) continue;
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
        if (!waiting_.empty()) {
            soonest = earlier(soonest, source_slot_.value_or(next_source_));
        } else if (!between_.empty()) {
            soonest = earlier(soonest, next_source_);
        }
        soonest = earlier(soonest, rest_due());
        if (!stream_servers_.empty()) soonest = earlier(soonest, next_stream_relay_);
        if (gathering_deadline_ && awaits_stream_probe() && now_ < stream_probes_until_) {
            soonest = earlier(soonest, stream_probes_until_);
        }
        for (const Relay& relay : relays_) {
            soonest = earlier(earlier(soonest, relay.keepalive_due), move_deadline(relay));
        }
        if (const auto due = tcp_relay_due()) soonest = earlier(soonest, std::max(*due, now_));
        if (!tcp_relay_servers_.empty()) {
            soonest = earlier(soonest, std::max(next_tcp_relay_, now_));
        }
        soonest = earlier(soonest, named_until_);
        const bool holds = !silent_.empty() || !aside_.empty();
        if (holds && unlikely_from_ > now_) soonest = earlier(soonest, unlikely_from_);
    }
    for (const Probe& probe : probes_) soonest = earlier(soonest, probe.machine.poll_timeout());
    for (const Relay& relay : relays_) soonest = earlier(soonest, relay.client.poll_timeout());
    if (tcp_relay_) soonest = earlier(soonest, tcp_relay_->machine.poll_timeout());
    return soonest;
}

std::optional<Route> Connector::route() const {
    if (!selected_ || is_stranded(selected_->pair.local)) return std::nullopt;
    Route route{.pair = selected_->pair,
                .wire = selected_->pair,
                .channel = {},
                .kind = kind_of(selected_->local_type, selected_->remote_type),
                .local_type = selected_->local_type,
                .remote_type = selected_->remote_type,
                .round_trip = selected_->round_trip};
    if (selected_->connection) {
        if (const Stream* const stream = streams_.find(*selected_->connection)) {
            route.wire = stream->path;
            route.stream = stream->id;
            const bool is_relayed = stream->use == Stream::Use::RelayedPeer && tcp_relay_;
            route.transport =
                is_relayed ? tcp_relay_->server.transport : turn::ClientTransport::Tcp;
        }
        if (comes_from_relay(selected_->pair.remote.ip)) route.kind = RouteKind::Relayed;
    } else if (const Relay* const relay = find_relay(selected_->pair.local)) {
        route.wire = relay->wire;
        route.stream = relay->stream;
        route.transport = relay->transport;
        route.channel = relay->client.channel_of(now_, selected_->pair.remote);
    }
    return route;
}

// The oldest is lost: route() and local_description() tell what is so now.
void Connector::queue_event(Event event) {
    if (events_.size() == limits::most_queued_events) events_.pop_front();
    events_.push_back(std::move(event));
}

}  // namespace stile::connect
