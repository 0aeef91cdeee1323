// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Interfaces that lead nowhere (a VPN that is down, containers, a network left behind) look like
// all others, on both sides. RFC 8445 Section 6.1.2 would have every pair with a reflexive or
// relayed candidate wait for the host pairs of all of those, and with many of them fill the
// checklist. So what hardly leads anywhere comes to the agent as late candidates do: our sockets on
// which no server answers, and the peer's private addresses in networks that we are not in.
#include <stile/connect/connector.hpp>

#include <algorithm>

namespace stile::connect {
namespace {

// Whether a route between the two needs no router, most likely: prefix lengths of interfaces are
// not known here, and these are the usual ones.
bool are_neighbours(const IpAddress& one, const IpAddress& other) {
    constexpr std::size_t v4_octets = 3;
    constexpr std::size_t v6_octets = 8;
    return one.family() == other.family() &&
           std::ranges::equal(one.octets().first(one.is_v4() ? v4_octets : v6_octets),
                              other.octets().first(one.is_v4() ? v4_octets : v6_octets));
}

bool is_unsent(const ice::PairReport& pair) {
    return pair.state == ice::PairState::Waiting || pair.state == ice::PairState::Frozen;
}

bool takes_room(const ice::PairReport& pair) {
    return pair.state != ice::PairState::Failed && pair.state != ice::PairState::Removed;
}

}  // namespace

// STUN came in: the socket is heard there. That it leads out only a server's word shows; peers and
// our own checks may be neighbours.
void Connector::note_alive(Instant now, const Path& path) {
    // A socket of our own beside a shared one shows that this leads out, too.
    const auto ours = is_own_socket(path.local)
                          ? std::ranges::find(config_.hosts, path.local.ip, &SocketAddress::ip)
                          : std::ranges::find(config_.hosts, path.local);
    if (ours == config_.hosts.end()) return;
    const SocketAddress host = *ours;
    if (std::erase(silent_, host) != 0) take_back(now, host);
    if (std::ranges::find(alive_, host) != alive_.end()) return;
    const bool is_server =
        std::ranges::find(config_.stun_servers, path.remote) != config_.stun_servers.end() ||
        std::ranges::find(config_.turn_servers, path.remote, &TurnServer::address) !=
            config_.turn_servers.end();
    if (!is_server) return;
    alive_.push_back(host);
    if (phase_ == Phase::Running) ask_relays_from(now, host);
}

// A server was asked for a relay from a socket that may lead nowhere, while this one leads out: it
// is the next to be asked.
void Connector::ask_relays_from(Instant now, const SocketAddress& alive) {
    for (const TurnServer& server : config_.turn_servers) {
        if (turn::is_stream(server.transport) || !may_use(alive)) continue;
        if (!can_reach(alive, server.address)) continue;
        bool is_asked = false;
        bool may_answer = false;
        for (const Relay& relay : relays_) {
            if (!is_at(relay, server)) continue;
            is_asked = true;
            may_answer = may_answer || relay.state == SourceState::Done ||
                         std::ranges::find(alive_, relay.host) != alive_.end();
        }
        const bool waits = std::ranges::any_of(waiting_, [&](const Source& source) {
            const auto* const turn = std::get_if<TurnServer>(&source);
            return turn != nullptr && turn->address == server.address;
        });
        if (!is_asked || may_answer || waits) continue;
        if (waiting_.empty()) next_source_ = std::max(next_source_, now);
        waiting_.emplace_front(server);
    }
}

// One relay of a server is enough: what another socket is given by it, too, goes back.
void Connector::give_up_rivals(Instant now, const Relay& allocated) {
    for (Relay& rival : relays_) {
        if (&rival == &allocated || rival.wire.remote != allocated.wire.remote) continue;
        if (rival.state != SourceState::Pending || rival.stream) continue;
        rival.state = SourceState::Done;
        rival.report.outcome = SourceReport::Outcome::Silent;
        rival.report.took = now - rival.report.asked;
        rival.client.release(now);
    }
}

// Before the checks begin: later, pairs are under way. Where no server has answered at all yet, the
// best of each family stays.
void Connector::set_silent_aside(Instant now) {
    if (agent_.state() != ice::State::Waiting || !silent_.empty()) return;
    if (config_.policy == CandidatePolicy::RelayedOnly) return;
    const auto is_asked = [&](const SocketAddress& host) {
        const auto reaches = [&](const SocketAddress& server) { return can_reach(host, server); };
        return awaits_servers() || std::ranges::any_of(config_.stun_servers, reaches);
    };
    std::vector<AddressFamily> represented;
    for (const SocketAddress& host : config_.hosts) {
        const bool in_use = selected_ && selected_->pair.local == host;
        const bool is_alive = std::ranges::find(alive_, host) != alive_.end();
        if (is_alive || in_use || !may_use(host) || !is_asked(host)) continue;
        const AddressFamily family = host.ip.family();
        if (alive_.empty() && std::ranges::find(represented, family) == represented.end()) {
            represented.push_back(family);
            continue;
        }
        silent_.push_back(host);
    }
    for (const SocketAddress& host : silent_) agent_.remove_base(now, host);
}

bool Connector::is_unlikely(const ice::Candidate& remote) const {
    if (remote.type != ice::CandidateType::Host || !remote.address.ip.is_private()) return false;
    const bool has_servers = !config_.stun_servers.empty() || !config_.turn_servers.empty();
    if (!has_servers && !awaits_servers()) return false;  // nothing better is to come
    const ice::RemoteCandidates& known = agent_.remote_candidates();
    for (std::uint16_t i = 0; i < known.size(); ++i) {
        const bool is_same = known[i].address == remote.address;
        if (is_same && known[i].transport == remote.transport) return false;
    }
    return std::ranges::none_of(config_.hosts, [&](const SocketAddress& host) {
        const bool is_aside = std::ranges::find(silent_, host) != silent_.end();
        // Containers' addresses are the same on many machines.
        return !is_aside && host.ip != remote.address.ip &&
               are_neighbours(host.ip, remote.address.ip);
    });
}

bool Connector::set_aside(const ice::Candidate& remote) {
    if (remote_gathering_ == Gathering::Complete || remote.address.port.value == 0) return false;
    const bool is_known = std::ranges::any_of(aside_, [&](const ice::Candidate& other) {
        return other.address == remote.address && other.transport == remote.transport;
    });
    if (is_known) return true;
    if (aside_.size() == limits::most_aside) return false;
    aside_.push_back(remote);
    return true;
}

bool Connector::admit(Instant now, ice::Candidate remote) {
    if (!agent_.add_remote_candidate(now, remote)) return false;
    // Before the first check: without a permission the relay drops what comes back.
    permit(now, remote.address.ip);
    // The original stays: our relay may have an IPv4 address.
    if (!config_.nat64_prefix) return true;
    if (const auto embedded = config_.nat64_prefix->embed(remote.address.ip)) {
        remote.address.ip = *embedded;
        (void)agent_.add_remote_candidate(now, std::move(remote));
    }
    return true;
}

// It leads here, whatever was thought of it.
void Connector::admit_if_aside(Instant now, const SocketAddress& remote) {
    const auto found = std::ranges::find(aside_, remote, &ice::Candidate::address);
    if (found == aside_.end()) return;
    ice::Candidate candidate = std::move(*found);
    aside_.erase(found);
    admit(now, std::move(candidate));
    consider_remote_ended(now);
}

bool Connector::may_try_unlikely(Instant now) const {
    if (!unlikely_from_) return false;  // the checks have not begun
    if (selected_ || now >= *unlikely_from_) return true;
    return remote_gathering_ == Gathering::Complete && local_.gathering == Gathering::Complete &&
           agent_.pairs().empty();
}

// One by one, each when all that is there was sent at least once.
void Connector::try_unlikely(Instant now) {
    if (silent_.empty() && aside_.empty()) return;
    if (agent_.remote_candidates().size() == 0 && aside_.empty()) return;
    if (!may_try_unlikely(now)) return;
    while (!silent_.empty() || !aside_.empty()) {
        const std::vector<ice::PairReport> pairs = agent_.pairs();
        if (std::ranges::any_of(pairs, is_unsent)) return;
        if (std::ranges::count_if(pairs, takes_room) >=
            static_cast<std::ptrdiff_t>(limits::most_unlikely_pairs)) {
            // Sockets stay where they are, for whatever comes in there.
            aside_.clear();
            break;
        }
        if (!aside_.empty()) {
            ice::Candidate candidate = std::move(aside_.front());
            aside_.pop_front();
            admit(now, std::move(candidate));
        } else {
            const SocketAddress host = silent_.front();
            silent_.erase(silent_.begin());
            take_back(now, host);
        }
    }
    consider_remote_ended(now);
}

void Connector::take_back(Instant now, const SocketAddress& host) {
    for (ice::GatheredCandidate gathered : gathered_) {
        if (gathered.base != host || gathered.protocol.transport != ice::Transport::Udp) continue;
        const auto told = std::ranges::find_if(local_.candidates, [&](const auto& candidate) {
            return candidate.address == gathered.address && candidate.base == gathered.base &&
                   candidate.transport == ice::Transport::Udp;
        });
        if (told == local_.candidates.end()) continue;
        // With the priority that the peer knows. RFC 8445 Section 5.1.2.1.
        gathered.local_preference = static_cast<std::uint16_t>((told->priority >> 8U) & 0xFFFFU);
        (void)agent_.add_local_candidate(now, gathered);
    }
}

// An agent that knows of no further candidates concludes.
void Connector::consider_remote_ended(Instant now) {
    if (remote_gathering_ == Gathering::Complete && aside_.empty() && named_.empty()) {
        agent_.end_of_remote_candidates(now);
    }
}

}  // namespace stile::connect
