// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Whom to ask for candidates, in which order, and what comes of it. RFC 8445 Sections 5.1.1 and 14.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

// A host with IPv4 needs no NAT64, and gets a shorter way without.
void Connector::translate_servers() {
    if (config_.sockets == Sockets::Shared) ask_relays_as_stun_servers();
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

// An allocation from another socket does not show how a NAT maps this one; a Binding request to the
// same server does.
void Connector::ask_relays_as_stun_servers() {
    for (const TurnServer& server : config_.turn_servers) {
        if (config_.stun_servers.size() == limits::most_servers) return;
        const auto known = std::ranges::find(config_.stun_servers, server.address);
        if (known != config_.stun_servers.end() || turn::is_stream(server.transport)) continue;
        config_.stun_servers.push_back(server.address);
    }
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
            const Path path{host, server};
            if (!may_use(host) || !can_reach(host, server) || recall(now, path)) continue;
            waiting_.emplace_back(path);
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

// True where it is known what the server would say.
bool Connector::recall(Instant now, const Path& path) {
    const auto known = std::ranges::find(config_.reflexive, path, &ReflexiveAddress::path);
    if (known == config_.reflexive.end() || known->fresh_until <= now) return false;
    SourceReport report = asked(SourceReport::Kind::Stun, turn::ClientTransport::Udp, path, now);
    report.outcome = SourceReport::Outcome::Answered;
    report.mapped = known->mapped;
    report.took = Duration::zero();
    recalled_.push_back(report);
    note_alive(now, path.local);
    add_reflexive(now, path, known->mapped, {});
    return true;
}

void Connector::add_reflexive(Instant now, const Path& path, const SocketAddress& mapped,
                              ice::Protocol protocol) {
    add_gathered(now, {.type = ice::CandidateType::ServerReflexive,
                       .address = mapped,
                       .base = path.local,
                       .component = {},
                       .related = path.local,
                       .server = path.remote.ip,
                       .local_preference = {},
                       .protocol = protocol});
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
        add_reflexive(now, path, found->mapped, probe.protocol);
        if (probe.stream) continue;
        std::erase_if(learned_, [&](const ReflexiveAddress& old) { return old.path == path; });
        learned_.push_back({path, found->mapped, now + limits::reflexive_lifetime});
        guess_ports(now, path.local);
    }
}

}  // namespace stile::connect
