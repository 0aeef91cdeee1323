// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/credentials.hpp>

#include <cstdint>
#include <optional>

namespace stile::ice {

// a=ice-lite. RFC 8445 Section 2.5.
enum class PeerKind : std::uint8_t { Full, Lite };

// draft-thatcher-ice-renomination, where both sides offer it: better pairs go on being checked
// after the nomination, and the controlling agent nominates anew, by a higher number, the one that
// turns out better or has to take over. Otherwise a nomination is final until a restart.
enum class Renomination : std::uint8_t { NotOffered, Offered };

// What the signalling brought of the peer. RFC 8445 Section 5.3.
struct RemoteParameters {
    Credentials credentials;
    PeerKind kind = PeerKind::Full;
    std::optional<Duration> ta;  // ice-pacing, where the peer proposed it
    Renomination renomination = Renomination::NotOffered;
};

// Whether a datagram was for this agent. NotMine: it belongs to another user of the socket.
enum class Verdict : std::uint8_t { NotMine, Consumed };

}  // namespace stile::ice
