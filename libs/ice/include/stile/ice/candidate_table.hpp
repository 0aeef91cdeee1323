// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/ice/candidate.hpp>

#include <expected>
#include <span>
#include <vector>

namespace stile::ice {

// Why a candidate was not taken. None of these is a fault of the session: it goes on without.
enum class CandidateError : std::uint8_t {
    Redundant,             // known already; RFC 8445 Section 5.1.3
    UnusableAddress,       // no port, unspecified, multicast or broadcast
    UnknownComponent,      // not 1 to AgentConfig::components
    UnsupportedTransport,  // TCP without a type, or UDP with one
    BadPriority,           // not 1 to 2^31 - 1, RFC 8445 Section 5.1.2; or other-pref above 8191
    BadFoundation,         // empty or more than 32 characters
    TooMany,               // the limit of limits.hpp is reached
    AfterEnd,              // end_of_remote_candidates() was called; RFC 8838 Section 14
};

// The local candidates of one generation. Indices stay good until clear().
class LocalCandidates {
public:
    // Computes priority and foundation. RFC 8445 Sections 5.1.1.3 to 5.1.3. Of two redundant
    // candidates the one of higher priority stays. The index of the new one.
    std::expected<std::uint16_t, CandidateError> add(const GatheredCandidate& gathered);

    // RFC 8445 Section 7.2.5.3.1. `priority` is what the check said in PRIORITY.
    std::expected<std::uint16_t, CandidateError> add_peer_reflexive(SocketAddress mapped,
                                                                    std::uint16_t sent_from,
                                                                    std::uint32_t priority);

    // A candidate with this transport address; the one with this base too is preferred.
    std::optional<std::uint16_t> find(const SocketAddress& address, const SocketAddress& base,
                                      const Protocol& protocol = {}) const;
    // The candidate that checks arriving on this socket or relay are for: a host or relayed one, or
    // another one that has it as its base. RFC 8445 Section 7.3.1.4. Nothing arrives at the base of
    // an active TCP candidate.
    std::optional<std::uint16_t> find_base(const SocketAddress& base,
                                           Transport transport = Transport::Udp) const;

    // The base is gone: its candidates are found no longer, but keep their indices.
    void retire(const SocketAddress& base, Transport transport = Transport::Udp);
    bool is_retired(std::uint16_t index) const { return entries_[index].retired; }

    const Candidate& operator[](std::uint16_t index) const { return entries_[index].candidate; }
    std::uint16_t foundation(std::uint16_t index) const { return entries_[index].foundation; }
    std::uint16_t size() const { return static_cast<std::uint16_t>(entries_.size()); }
    void clear();
    // No more are expected.
    void shrink();

private:
    // What two candidates of one foundation have in common. TCP types differ in what lets their
    // connections through as much as transports do.
    struct FoundationKey {
        Protocol protocol;
        CandidateType type = CandidateType::Host;
        IpAddress base;
        std::optional<IpAddress> server;
        friend bool operator==(const FoundationKey&, const FoundationKey&) = default;
    };
    struct Entry {
        Candidate candidate;
        std::uint16_t foundation = 0;
        bool retired = false;
    };

    std::uint16_t foundation_of(const FoundationKey& key);
    std::uint16_t free_preference(CandidateType type, ComponentId component,
                                  const Protocol& protocol) const;

    std::vector<Entry> entries_;
    std::vector<FoundationKey> foundations_;  // the number of a foundation is its index
};

// The remote candidates of one generation, as signalled or discovered. Indices stay good until
// clear().
class RemoteCandidates {
public:
    // A peer reflexive candidate that is signalled after all takes the type, priority and
    // foundation of the new one and keeps its index. RFC 8838 Section 11.4.
    std::expected<std::uint16_t, CandidateError> add(Candidate candidate);

    // RFC 8445 Section 7.3.1.3.
    std::expected<std::uint16_t, CandidateError> add_peer_reflexive(SocketAddress source,
                                                                    ComponentId component,
                                                                    std::uint32_t priority,
                                                                    const Protocol& protocol = {});
    // The same in the place of one that no pair uses any longer. Requires: that is peer reflexive.
    std::expected<std::uint16_t, CandidateError> replace_peer_reflexive(
        std::uint16_t index, SocketAddress source, ComponentId component, std::uint32_t priority,
        const Protocol& protocol = {});

    // The candidate that a check from there is from. An active one that was signalled has no port,
    // hence is never found.
    std::optional<std::uint16_t> find(const SocketAddress& address, ComponentId component,
                                      Transport transport = Transport::Udp) const;

    const Candidate& operator[](std::uint16_t index) const { return entries_[index].candidate; }
    std::uint16_t foundation(std::uint16_t index) const { return entries_[index].foundation; }
    std::uint16_t size() const { return static_cast<std::uint16_t>(entries_.size()); }
    void clear();
    // No more are expected.
    void shrink();

private:
    struct Entry {
        Candidate candidate;
        std::uint16_t foundation = 0;
    };

    std::uint16_t foundation_of(const std::string& text);
    Candidate discovered(SocketAddress source, ComponentId component, std::uint32_t priority,
                         const Protocol& protocol);
    std::optional<std::uint16_t> find_same(const Candidate& candidate) const;
    std::expected<std::uint16_t, CandidateError> append(Candidate candidate);
    void replace(std::uint16_t index, Candidate candidate);

    std::vector<Entry> entries_;
    std::uint32_t discovered_ = 0;  // peer reflexive candidates named so far
};

// What is wrong with a remote candidate whatever else is known; empty when nothing is.
std::optional<CandidateError> check_candidate(const Candidate& candidate);

}  // namespace stile::ice
