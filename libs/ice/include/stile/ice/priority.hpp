// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/ice/candidate.hpp>

#include <span>
#include <vector>

namespace stile::ice {

// RFC 8445 Section 5.1.2.2: 126, 110, 100 and 0 for UDP. For TCP 90, 80, 70 and 0: after everything
// direct over UDP, before every relay, as RFC 6544 Section 4.2 advises where UDP is preferred.
std::uint32_t type_preference(CandidateType type, Transport transport = Transport::Udp);

// RFC 6544 Section 4.2: 2^13 * direction-pref + other-pref, so that active is tried before passive
// and that before simultaneous open; for reflexive candidates simultaneous open first. Requires:
// other_preference is at most limits::most_other_preference.
std::uint16_t tcp_local_preference(CandidateType type, TcpType tcp_type,
                                   std::uint16_t other_preference);

// RFC 8445 Section 5.1.2.1. Requires: component is 1 to 256.
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 ComponentId component, Transport transport = Transport::Udp);

// What a check from this candidate says in PRIORITY: as if it were peer reflexive. RFC 8445
// Section 7.1.1.
std::uint32_t peer_reflexive_priority(std::uint32_t priority, Transport transport = Transport::Udp);

// RFC 8445 Section 5.1.2: 1 to 2^31 - 1.
constexpr bool is_valid_priority(std::uint32_t priority) {
    return priority >= 1 && priority <= 0x7FFF'FFFF;
}

struct PairPriority {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(PairPriority, PairPriority) = default;
};

// RFC 8445 Section 6.1.2.3. `ours` belongs to the local candidate.
PairPriority pair_priority(Role our_role, std::uint32_t ours, std::uint32_t theirs);

// The addresses in the order in which their candidates should be added: IPv6 and IPv4 intermingled,
// IPv6 first by the head start of RFC 8421 Section 4, the order within a family kept.
std::vector<IpAddress> intermingle(std::span<const IpAddress> addresses);

}  // namespace stile::ice
