// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "foreign_flows.hpp"

#include "limits.hpp"

namespace stile::relay {
namespace {

// Of a request that came to nothing: its retransmissions take 39.5 seconds. RFC 8489 Section 6.2.1.
constexpr Duration origin_time = std::chrono::seconds{60};

}  // namespace

void ForeignFlows::set_owner(const turn::ClientFlow& flow, std::uint8_t shard) {
    if (owners_.size() < most_foreign_flows) owners_[flow] = shard;
}

bool ForeignFlows::set_origin(Instant now, const turn::ClientFlow& flow, std::uint8_t shard) {
    const auto known = origins_.find(flow);
    if (known == origins_.end() && origins_.size() >= most_foreign_flows) return false;
    Origin& origin = origins_[flow];
    const bool kept = known != origins_.end() && !origin.expires;
    origin.shard = shard;
    if (!kept) origin.expires = now + origin_time;
    return true;
}

void ForeignFlows::keep(const turn::ClientFlow& flow) {
    const auto known = origins_.find(flow);
    if (known != origins_.end()) known->second.expires.reset();
}

void ForeignFlows::expire(Instant now) {
    std::erase_if(origins_, [now](const auto& entry) {
        return entry.second.expires && *entry.second.expires <= now;
    });
}

}  // namespace stile::relay
