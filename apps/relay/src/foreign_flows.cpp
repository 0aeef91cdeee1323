// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "foreign_flows.hpp"

#include "limits.hpp"

namespace stile::relay {
namespace {

// Of a request that came to nothing: its retransmissions take 39.5 seconds. RFC 8489 Section 6.2.1.
constexpr Duration request_time = std::chrono::seconds{60};

}  // namespace

bool ForeignFlows::set(Flows& flows, Instant now, const turn::ClientFlow& flow,
                       std::uint8_t shard) {
    const auto known = flows.find(flow);
    if (known == flows.end() && flows.size() >= most_foreign_flows) return false;
    const bool kept = known != flows.end() && !known->second.expires;
    Other& other = flows[flow];
    other.shard = shard;
    if (!kept) other.expires = now + request_time;
    return true;
}

void ForeignFlows::set_owner(const turn::ClientFlow& flow, std::uint8_t shard) {
    if (owners_.contains(flow) || owners_.size() < most_foreign_flows) {
        owners_[flow] = {.shard = shard, .expires = std::nullopt};
    }
}

void ForeignFlows::keep(const turn::ClientFlow& flow) {
    const auto known = origins_.find(flow);
    if (known != origins_.end()) known->second.expires.reset();
}

void ForeignFlows::expire(Instant now) {
    for (Flows* const flows : {&owners_, &origins_}) {
        std::erase_if(*flows, [now](const auto& entry) {
            return entry.second.expires && *entry.second.expires <= now;
        });
    }
}

}  // namespace stile::relay
