// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "stranger_limit.hpp"

#include <algorithm>

namespace stile::relay {
namespace {

// Who has one address of an IPv6 network usually has all of its /64.
IpAddress network_of(const IpAddress& source) {
    if (source.is_v4()) return source;
    std::array<std::byte, 16> octets{};
    std::ranges::copy(source.octets().first(8), octets.begin());
    return IpAddress::v6(octets);
}

}  // namespace

bool StrangerLimit::enter(const std::optional<IpAddress>& source) {
    if (count_ >= limits_.strangers) return false;
    if (source) {
        const IpAddress network = network_of(*source);
        const auto known = by_source_.find(network);
        if (known != by_source_.end() && known->second >= limits_.strangers_per_source) {
            return false;
        }
        ++by_source_[network];
    }
    ++count_;
    return true;
}

void StrangerLimit::leave(const std::optional<IpAddress>& source) {
    --count_;
    if (!source) return;
    const auto known = by_source_.find(network_of(*source));
    if (--known->second == 0) by_source_.erase(known);
}

}  // namespace stile::relay
