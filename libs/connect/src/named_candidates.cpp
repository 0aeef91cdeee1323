// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Names of multicast DNS in the place of addresses: the peer's, which are looked for, and ours.
// draft-ietf-mmusic-mdns-ice-candidates-03 Sections 3.1 and 3.2.
#include <stile/connect/connector.hpp>
#include <stile/ice/priority.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

const std::string* Concealment::name_of(const IpAddress& address) const {
    const auto found = std::ranges::find(names, address, &Name::address);
    return found == names.end() ? nullptr : &found->name;
}

// ---- the peer's --------------------------------------------------------------------------------

bool Connector::add_remote_candidate(Instant now, const NamedCandidate& candidate) {
    const bool is_host = candidate.candidate.type == ice::CandidateType::Host;
    if (phase_ == Phase::Released || remote_gathering_ == Gathering::Complete || !is_host) {
        return false;
    }
    if (std::ranges::find(named_, candidate) != named_.end()) return true;
    if (named_.size() == limits::most_named) return false;
    const bool is_asked =
        std::ranges::find(named_, candidate.name, &NamedCandidate::name) != named_.end();
    named_.push_back(candidate);
    if (!is_asked) {
        std::erase(unresolved_, candidate.name);
        queue_event(NameWanted{candidate.name});
    }
    named_until_ = now + limits::name_patience;
    see(now);
    return true;
}

void Connector::handle_name(Instant now, const std::string& name,
                            const std::optional<IpAddress>& address) {
    std::vector<ice::Candidate> found;
    std::erase_if(named_, [&](const NamedCandidate& named) {
        if (named.name != name) return false;
        found.push_back(named.candidate);
        return true;
    });
    if (found.empty()) return;
    if (named_.empty()) named_until_.reset();
    if (!address) unresolved_.push_back(name);
    for (ice::Candidate& candidate : found) {
        if (!address) break;
        candidate.address.ip = *address;
        candidate.base = candidate.address;
        // Whoever answers is on a link of ours: nothing is likelier.
        (void)admit(now, std::move(candidate));
    }
    consider_remote_ended(now);
    see(now);
}

void Connector::forget_late_names(Instant now) {
    if (!named_until_ || now < *named_until_) return;
    for (const NamedCandidate& named : std::exchange(named_, {})) {
        if (std::ranges::find(unresolved_, named.name) == unresolved_.end()) {
            unresolved_.push_back(named.name);
        }
    }
    named_until_.reset();
    consider_remote_ended(now);
}

// ---- ours --------------------------------------------------------------------------------------

void Connector::set_concealment(Concealment concealment) {
    config_.concealment = concealment;
    local_.concealment = std::move(concealment);
}

bool Connector::may_tell(const ice::Candidate& candidate) const {
    return !config_.concealment || candidate.type != ice::CandidateType::Host ||
           config_.concealment->name_of(candidate.address.ip) != nullptr;
}

// A host whose address servers see is reached from anywhere, but a name is found on its link alone:
// the agent has no use for the same address twice, the peer does.
void Connector::tell_seen_host(const SocketAddress& host) {
    if (!config_.concealment || config_.policy == CandidatePolicy::RelayedOnly) return;
    const ice::LocalCandidates& known = agent_.local_candidates();
    const auto index = known.find(host, host);
    if (!index || known[*index].type != ice::CandidateType::Host) return;
    ice::Candidate seen = known[*index];
    seen.type = ice::CandidateType::ServerReflexive;
    const bool is_told = std::ranges::any_of(local_.candidates, [&](const auto& other) {
        return other.type == seen.type && other.address == seen.address && other.base == seen.base;
    });
    if (is_told) return;
    const auto preference = static_cast<std::uint16_t>((seen.priority >> 8U) & 0xFFFFU);
    seen.priority = ice::candidate_priority(seen.type, preference, seen.component);
    seen.foundation += 's';
    seen.related = host;
    tell(seen);
}

}  // namespace stile::connect
