// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Whom to ask for candidates, in which order, and what comes of it. RFC 8445 Sections 5.1.1 and 14.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <array>
#include <iterator>
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

// Transactions are paced as checks are, and take the same turns. RFC 8445 Section 14.1. What is
// likely to be needed goes first: of each family a relay, which takes the longest and always works,
// and a STUN server by the best socket. The second ones, which stand in for these and tell the kind
// of NAT, have a turn when no check wants it. All others (further servers, further sockets) wait
// until there is a first route, or until it is clear that these do not do: some may be dead, and
// which cannot be known.
void Connector::ask_sources(Instant now) {
    forget_sources();
    std::array<std::size_t, 2> relays{};
    std::array<std::size_t, 2> stun_servers{};
    const auto line_of = [&](auto& counts, const SocketAddress& server) -> std::deque<Source>& {
        const std::size_t before = counts.at(server.ip.is_v4() ? 0 : 1)++;
        return before == 0 ? waiting_ : before == 1 ? between_ : rest_;
    };
    // Round by round; in each server by server: which sockets lead out is known soonest so.
    for (std::size_t rank = 0; rank < limits::most_turn_servers; ++rank) {
        if (rank < config_.turn_servers.size()) {
            const TurnServer& server = config_.turn_servers[rank];
            const bool is_there = std::ranges::any_of(
                relays_, [&](const Relay& relay) { return is_at(relay, server); });
            if (!turn::is_stream(server.transport)) {
                std::deque<Source>& line = line_of(relays, server.address);
                if (!is_there) line.emplace_back(server);
            }
        }
        if (rank >= config_.stun_servers.size()) continue;
        const SocketAddress& server = config_.stun_servers[rank];
        std::deque<Source>* line = nullptr;
        for (const SocketAddress& host : hosts_by_hope()) {
            if (!may_use(host) || !can_reach(host, server)) continue;
            if (line == nullptr) line = &line_of(stun_servers, server);
            const Path path{host, server};
            if (!recall(now, path)) line->emplace_back(path);
            // That a new one is the better one is likely alone.
            line = newest_ == host && line == &waiting_ ? &between_ : &rest_;
        }
    }
    ask_by_listeners();
    asked_ = next_source_ = now;
    const std::size_t all = waiting_.size() + between_.size() + rest_.size();
    const Duration round = config_.ice.ta * static_cast<Duration::rep>(all);
    gathering_deadline_ = now + limits::source_deadline + round;
    // RFC 8445 Section 14.3: every source is asked once before any is asked again.
    schedule_.rto = std::max(stun::RetransmitSchedule{}.rto, round);
    stream_probes_until_ = now + limits::stream_source_deadline + round;
    if (waiting_.empty() && alive_.empty()) begin_rest(now);
    begin_sources(now);
    plan_stream_relays(now);
}

// As the driver ranks them, but what came last first: most likely the others' network is about to
// go.
std::vector<SocketAddress> Connector::hosts_by_hope() const {
    std::vector<SocketAddress> hosts = config_.hosts;
    const auto newest =
        std::ranges::find_if(hosts, [&](const SocketAddress& host) { return newest_ == host; });
    if (newest != hosts.end()) std::rotate(hosts.begin(), newest, std::next(newest));
    return hosts;
}

void Connector::forget_sources() {
    waiting_.clear();
    between_.clear();
    rest_.clear();
}

// When the rest is asked at the latest. A route ends its waiting, whichever it is.
std::optional<Instant> Connector::rest_due() const {
    if (between_.empty() && rest_.empty()) return std::nullopt;
    if (selected_) return now_;
    if (alive_.empty()) return asked_ + limits::first_sources_patience;
    return std::max(asked_, checks_began_.value_or(asked_)) + limits::first_route_patience;
}

void Connector::ask_rest(Instant now) {
    if (between_.empty() && rest_.empty()) return;
    begin_rest(now);
    see(now);
}

void Connector::begin_rest(Instant now) {
    if (waiting_.empty()) next_source_ = std::max(next_source_, now);
    for (std::deque<Source>* const line : {&between_, &rest_}) {
        std::ranges::move(*line, std::back_inserter(waiting_));
        line->clear();
    }
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
    start_source(now, source);
}

// One of those that give way, if the turn is free and no check is due before the next one.
void Connector::start_between(Instant now, ice::Pacer& pacer) {
    if (!waiting_.empty() || between_.empty() || now < next_source_) return;
    const auto check = agent_.poll_timeout();
    if (check && *check < now + pacer.interval()) {
        next_source_ = std::max(*check, now) + pacer.interval();
        return;
    }
    if (!pacer.ready(now)) {
        next_source_ = pacer.next();
        return;
    }
    (void)pacer.reserve(now);
    const Source source = std::move(between_.front());
    between_.pop_front();
    start_source(now, source);
}

void Connector::start_source(Instant now, const Source& source) {
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
    note_alive(now, path);
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
    if (mapped == path.local && protocol.transport == ice::Transport::Udp) tell_seen_host(mapped);
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
    if (!may_tell(candidate)) return;
    local_.candidates.push_back(candidate);
    queue_event(CandidateGathered{candidate});
}

void Connector::consider_complete(Instant now) {
    if (local_.gathering == Gathering::Complete) return;
    const auto is_pending = [](const Probe& probe) {
        return probe.state == SourceState::Pending && !probe.stream;
    };
    const bool waiting = awaits_servers() || any_waits([](const Source&) { return true; }) ||
                         !stream_servers_.empty() || std::ranges::any_of(probes_, is_pending) ||
                         awaits_relay() || awaits_tcp_relay() ||
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
