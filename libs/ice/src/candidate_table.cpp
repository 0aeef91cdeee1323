// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/candidate_table.hpp>

#include <stile/base/assert.hpp>
#include <stile/ice/limits.hpp>
#include <stile/ice/priority.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

// Two digits from the back of the priority formula: where in its type a candidate stands.
std::uint16_t local_preference_of(std::uint32_t priority) {
    return static_cast<std::uint16_t>((priority >> 8U) & 0xFFFFU);
}

bool is_known(const Protocol& protocol) {
    return protocol.tcp_type.has_value() == (protocol.transport == Transport::Tcp);
}

// What the candidate looks like whose port is of no importance.
SocketAddress without_port(SocketAddress address, const Protocol& protocol) {
    if (protocol.tcp_type == TcpType::Active) address.port = discard_port;
    return address;
}

}  // namespace

std::optional<CandidateError> check_candidate(const Candidate& candidate) {
    if (!is_known(candidate.protocol())) return CandidateError::UnsupportedTransport;
    if (!is_usable(candidate.address)) return CandidateError::UnusableAddress;
    if (!is_valid_priority(candidate.priority)) return CandidateError::BadPriority;
    if (candidate.foundation.empty() ||
        candidate.foundation.size() > limits::most_foundation_size) {
        return CandidateError::BadFoundation;
    }
    return std::nullopt;
}

std::expected<std::uint16_t, CandidateError> LocalCandidates::add(
    const GatheredCandidate& gathered) {
    const Protocol& protocol = gathered.protocol;
    if (!is_known(protocol)) return std::unexpected(CandidateError::UnsupportedTransport);
    const SocketAddress address = without_port(gathered.address, protocol);
    // A relay opens connections from the one port that it has given. RFC 6062 Section 5.2.
    const SocketAddress base = gathered.type == CandidateType::Relayed
                                   ? gathered.base
                                   : without_port(gathered.base, protocol);
    if (!is_usable(address) || !is_usable(base)) {
        return std::unexpected(CandidateError::UnusableAddress);
    }
    std::uint16_t preference = gathered.local_preference
                                   ? *gathered.local_preference
                                   : free_preference(gathered.type, gathered.component, protocol);
    if (protocol.tcp_type) {
        if (preference > limits::most_other_preference) {
            return std::unexpected(CandidateError::BadPriority);
        }
        preference = tcp_local_preference(gathered.type, *protocol.tcp_type, preference);
    }
    const std::uint32_t priority =
        candidate_priority(gathered.type, preference, gathered.component, protocol.transport);

    const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.candidate.address == address && entry.candidate.base == base &&
               entry.candidate.protocol() == protocol;
    });
    // A peer reflexive one says less than what was gathered, whatever its priority.
    if (same != entries_.end() && !same->retired &&
        same->candidate.type != CandidateType::PeerReflexive &&
        same->candidate.priority >= priority) {
        return std::unexpected(CandidateError::Redundant);
    }
    if (same == entries_.end() && entries_.size() >= limits::most_local_candidates) {
        return std::unexpected(CandidateError::TooMany);
    }
    const std::uint16_t foundation = foundation_of(
        {.protocol = protocol, .type = gathered.type, .base = base.ip, .server = gathered.server});
    Entry entry{.candidate = {.type = gathered.type,
                              .component = gathered.component,
                              .transport = protocol.transport,
                              .address = address,
                              .base = base,
                              .related = gathered.related,
                              .priority = priority,
                              .foundation = std::to_string(foundation + 1),
                              .tcp_type = protocol.tcp_type},
                .foundation = foundation};
    if (same != entries_.end()) {
        *same = std::move(entry);
        return static_cast<std::uint16_t>(same - entries_.begin());
    }
    entries_.push_back(std::move(entry));
    return static_cast<std::uint16_t>(entries_.size() - 1);
}

std::expected<std::uint16_t, CandidateError> LocalCandidates::add_peer_reflexive(
    SocketAddress mapped, std::uint16_t sent_from, std::uint32_t priority) {
    if (!is_usable(mapped)) return std::unexpected(CandidateError::UnusableAddress);
    if (entries_.size() >= limits::most_local_candidates) {
        return std::unexpected(CandidateError::TooMany);
    }
    const SocketAddress base = entries_[sent_from].candidate.base;
    const ComponentId component = entries_[sent_from].candidate.component;
    const Protocol protocol = entries_[sent_from].candidate.protocol();
    const std::uint16_t foundation = foundation_of({.protocol = protocol,
                                                    .type = CandidateType::PeerReflexive,
                                                    .base = base.ip,
                                                    .server = std::nullopt});
    entries_.push_back({.candidate = {.type = CandidateType::PeerReflexive,
                                      .component = component,
                                      .transport = protocol.transport,
                                      .address = mapped,
                                      .base = base,
                                      .related = base,
                                      .priority = priority,
                                      .foundation = std::to_string(foundation + 1),
                                      .tcp_type = protocol.tcp_type},
                        .foundation = foundation});
    return static_cast<std::uint16_t>(entries_.size() - 1);
}

std::optional<std::uint16_t> LocalCandidates::find(const SocketAddress& address,
                                                   const SocketAddress& base,
                                                   const Protocol& protocol) const {
    std::optional<std::uint16_t> found;
    for (std::uint16_t i = 0; i < size(); ++i) {
        if (entries_[i].candidate.address != address) continue;
        if (entries_[i].candidate.protocol() != protocol) continue;
        if (entries_[i].candidate.base == base) return i;
        if (!found) found = i;
    }
    return found;
}

std::optional<std::uint16_t> LocalCandidates::find_base(const SocketAddress& base,
                                                        Transport transport) const {
    std::optional<std::uint16_t> found;
    for (std::uint16_t i = 0; i < size(); ++i) {
        const Protocol protocol = entries_[i].candidate.protocol();
        if (protocol.transport != transport || protocol.tcp_type == TcpType::Active) continue;
        if (entries_[i].candidate.base != base || entries_[i].retired) continue;
        if (entries_[i].candidate.address == base) return i;
        if (!found) found = i;
    }
    return found;
}

void LocalCandidates::retire(const SocketAddress& base, Transport transport) {
    for (Entry& entry : entries_) {
        if (entry.candidate.base == base && entry.candidate.transport == transport) {
            entry.retired = true;
        }
    }
}

void LocalCandidates::clear() {
    entries_.clear();
    foundations_.clear();
}

void LocalCandidates::shrink() {
    entries_.shrink_to_fit();
    foundations_.shrink_to_fit();
}

std::uint16_t LocalCandidates::foundation_of(const FoundationKey& key) {
    const auto found = std::find(foundations_.begin(), foundations_.end(), key);
    const auto index = static_cast<std::uint16_t>(found - foundations_.begin());
    if (found == foundations_.end()) foundations_.push_back(key);
    return index;
}

std::uint16_t LocalCandidates::free_preference(CandidateType type, ComponentId component,
                                               const Protocol& protocol) const {
    const std::uint16_t most = protocol.tcp_type ? limits::most_other_preference : 65535;
    std::uint16_t preference = most;
    const auto is_taken = [&](const Entry& entry) {
        return entry.candidate.type == type && entry.candidate.component == component &&
               entry.candidate.protocol() == protocol &&
               (local_preference_of(entry.candidate.priority) & most) == preference;
    };
    while (std::any_of(entries_.begin(), entries_.end(), is_taken)) --preference;
    return preference;
}

std::expected<std::uint16_t, CandidateError> RemoteCandidates::add(Candidate candidate) {
    if (const auto error = check_candidate(candidate)) return std::unexpected(*error);
    candidate.address = without_port(candidate.address, candidate.protocol());
    if (const auto known = find_same(candidate)) {
        if (entries_[*known].candidate.type != CandidateType::PeerReflexive) {
            return std::unexpected(CandidateError::Redundant);
        }
        replace(*known, std::move(candidate));
        return *known;
    }
    return append(std::move(candidate));
}

std::expected<std::uint16_t, CandidateError> RemoteCandidates::append(Candidate candidate) {
    if (entries_.size() >= limits::most_remote_candidates) {
        return std::unexpected(CandidateError::TooMany);
    }
    candidate.base = candidate.address;
    const std::uint16_t foundation = foundation_of(candidate.foundation);
    entries_.push_back({.candidate = std::move(candidate), .foundation = foundation});
    return static_cast<std::uint16_t>(entries_.size() - 1);
}

std::expected<std::uint16_t, CandidateError> RemoteCandidates::add_peer_reflexive(
    SocketAddress source, ComponentId component, std::uint32_t priority, const Protocol& protocol) {
    Candidate candidate = discovered(source, component, priority, protocol);
    if (const auto error = check_candidate(candidate)) return std::unexpected(*error);
    if (const auto known = find(source, component, protocol.transport)) {
        if (entries_[*known].candidate.type != CandidateType::PeerReflexive) {
            return std::unexpected(CandidateError::Redundant);
        }
        replace(*known, std::move(candidate));
        return *known;
    }
    return append(std::move(candidate));
}

std::expected<std::uint16_t, CandidateError> RemoteCandidates::replace_peer_reflexive(
    std::uint16_t index, SocketAddress source, ComponentId component, std::uint32_t priority,
    const Protocol& protocol) {
    STILE_ASSERT(entries_[index].candidate.type == CandidateType::PeerReflexive);
    Candidate candidate = discovered(source, component, priority, protocol);
    if (const auto error = check_candidate(candidate)) return std::unexpected(*error);
    replace(index, std::move(candidate));
    return index;
}

Candidate RemoteCandidates::discovered(SocketAddress source, ComponentId component,
                                       std::uint32_t priority, const Protocol& protocol) {
    // "an arbitrary value, different from the foundations of all other remote candidates": no
    // signalled foundation has a colon, which is not an ice-char.
    return {.type = CandidateType::PeerReflexive,
            .component = component,
            .transport = protocol.transport,
            .address = source,
            .base = source,
            .priority = priority,
            .foundation = ":" + std::to_string(++discovered_),
            .tcp_type = protocol.tcp_type};
}

void RemoteCandidates::replace(std::uint16_t index, Candidate candidate) {
    candidate.base = candidate.address;
    const std::uint16_t foundation = foundation_of(candidate.foundation);
    entries_[index] = {.candidate = std::move(candidate), .foundation = foundation};
}

std::optional<std::uint16_t> RemoteCandidates::find(const SocketAddress& address,
                                                    ComponentId component,
                                                    Transport transport) const {
    for (std::uint16_t i = 0; i < size(); ++i) {
        const Candidate& candidate = entries_[i].candidate;
        if (candidate.tcp_type == TcpType::Active &&
            candidate.type != CandidateType::PeerReflexive) {
            continue;
        }
        if (candidate.address == address && candidate.component == component &&
            candidate.transport == transport) {
            return i;
        }
    }
    return std::nullopt;
}

std::optional<std::uint16_t> RemoteCandidates::find_same(const Candidate& candidate) const {
    for (std::uint16_t i = 0; i < size(); ++i) {
        const Candidate& known = entries_[i].candidate;
        if (known.address == candidate.address && known.component == candidate.component &&
            known.protocol() == candidate.protocol()) {
            return i;
        }
    }
    return std::nullopt;
}

void RemoteCandidates::clear() {
    entries_.clear();
    discovered_ = 0;
}

void RemoteCandidates::shrink() { entries_.shrink_to_fit(); }

std::uint16_t RemoteCandidates::foundation_of(const std::string& text) {
    for (const Entry& entry : entries_) {
        if (entry.candidate.foundation == text) return entry.foundation;
    }
    std::uint16_t unused = 0;
    const auto is_used = [&](const Entry& entry) { return entry.foundation == unused; };
    while (std::any_of(entries_.begin(), entries_.end(), is_used)) ++unused;
    return unused;
}

}  // namespace stile::ice
