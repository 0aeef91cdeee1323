// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/priority.hpp>

#include <stile/base/assert.hpp>
#include <stile/ice/limits.hpp>

#include <algorithm>

namespace stile::ice {

std::uint32_t type_preference(CandidateType type, Transport transport) {
    const bool is_udp = transport == Transport::Udp;
    switch (type) {
        case CandidateType::Host:
            return is_udp ? 126 : 90;
        case CandidateType::PeerReflexive:
            return is_udp ? 110 : 80;
        case CandidateType::ServerReflexive:
            return is_udp ? 100 : 70;
        case CandidateType::Relayed:
            return 0;
    }
    return 0;
}

std::uint16_t tcp_local_preference(CandidateType type, TcpType tcp_type,
                                   std::uint16_t other_preference) {
    STILE_ASSERT(other_preference <= limits::most_other_preference);
    // Through a NAT both ends have to open at once; without one the usual way is the better one.
    const bool behind_nat =
        type == CandidateType::ServerReflexive || type == CandidateType::PeerReflexive;
    const auto with_direction = [&](std::uint32_t direction) {
        return static_cast<std::uint16_t>((direction << 13U) + other_preference);
    };
    switch (tcp_type) {
        case TcpType::Active:
            return with_direction(behind_nat ? 4 : 6);
        case TcpType::Passive:
            return with_direction(behind_nat ? 2 : 4);
        case TcpType::SimultaneousOpen:
            return with_direction(behind_nat ? 6 : 2);
    }
    return 0;
}

std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 ComponentId component, Transport transport) {
    STILE_ASSERT(component.value >= 1);
    STILE_ASSERT(component.value <= 256);
    return (type_preference(type, transport) << 24U) + (std::uint32_t{local_preference} << 8U) +
           (256U - component.value);
}

std::uint32_t peer_reflexive_priority(std::uint32_t priority, Transport transport) {
    return (type_preference(CandidateType::PeerReflexive, transport) << 24U) |
           (priority & 0x00FF'FFFFU);
}

PairPriority pair_priority(Role our_role, std::uint32_t ours, std::uint32_t theirs) {
    const std::uint64_t g = our_role == Role::Controlling ? ours : theirs;
    const std::uint64_t d = our_role == Role::Controlling ? theirs : ours;
    return {(std::min(g, d) << 32U) + 2 * std::max(g, d) + (g > d ? 1 : 0)};
}

std::vector<IpAddress> intermingle(std::span<const IpAddress> addresses) {
    std::vector<IpAddress> v6;
    std::vector<IpAddress> v4;
    for (const IpAddress& address : addresses) (address.is_v6() ? v6 : v4).push_back(address);
    std::vector<IpAddress> order;
    order.reserve(addresses.size());
    // "Hi = (N_4 + N_6) / N_4" of RFC 8421 Section 4: after so many of IPv6 comes one of IPv4.
    const std::size_t head_start = v4.empty() ? v6.size() : (v4.size() + v6.size()) / v4.size();
    std::size_t taken6 = 0;
    std::size_t taken4 = 0;
    while (order.size() < addresses.size()) {
        for (std::size_t i = 0; i < head_start && taken6 < v6.size(); ++i) {
            order.push_back(v6[taken6++]);
        }
        if (taken4 < v4.size()) order.push_back(v4[taken4++]);
    }
    return order;
}

}  // namespace stile::ice
