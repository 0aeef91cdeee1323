// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/ice/remote_parameters.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stile::connect {

enum class Gathering : std::uint8_t { Ongoing, Complete };

// A host candidate of the peer whose address a name of multicast DNS stands for: of its address the
// port alone means something. draft-ietf-mmusic-mdns-ice-candidates-03.
struct NamedCandidate {
    std::string name;
    ice::Candidate candidate;
    friend bool operator==(const NamedCandidate&, const NamedCandidate&) = default;
};

// Names that whoever brings our description to the peer has to put in the place of our hosts'
// addresses; related addresses are left out then.
struct Concealment {
    struct Name {
        IpAddress address;
        std::string name;
        friend bool operator==(const Name&, const Name&) = default;
    };
    std::vector<Name> names;
    const std::string* name_of(const IpAddress& address) const;
    friend bool operator==(const Concealment&, const Concealment&) = default;
};

// What one side has to know of the other, carried by whatever signalling there is. Later candidates
// follow one by one (trickle), or all are in it.
struct Description {
    ice::Credentials credentials;
    std::vector<ice::Candidate> candidates;
    Gathering gathering = Gathering::Ongoing;
    // The time between two checks that it proposes; both sides use the larger one. Absent: 50 ms.
    // RFC 8445 Section 14.2.
    std::optional<Duration> ta = {};
    // A connector's own is always Full. RFC 8445 Section 2.5.
    ice::PeerKind kind = ice::PeerKind::Full;
    ice::Renomination renomination = ice::Renomination::NotOffered;
    std::vector<NamedCandidate> named = {};       // of the peer's
    std::optional<Concealment> concealment = {};  // of ours
    friend bool operator==(const Description&, const Description&) = default;
};

}  // namespace stile::connect
