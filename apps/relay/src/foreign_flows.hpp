// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/turn/client_flow.hpp>

#include <cstdint>
#include <map>
#include <optional>

namespace stile::relay {

// Clients whose packets arrive at one shard while their allocation is on another: the system
// spreads clients by their address, and who moves (RFC 8016) or uses a reservation has an
// allocation where it was made.
class ForeignFlows {
public:
    // On the shard where they arrive: whose they are.
    std::optional<std::uint8_t> owner_of(const turn::ClientFlow& flow) const {
        if (owners_.empty()) return std::nullopt;
        const auto found = owners_.find(flow);
        return found == owners_.end() ? std::nullopt : std::optional{found->second.shard};
    }
    // A request was handed to that shard, and what follows may come before it is known whether it
    // succeeded: remembered for a while, and for good once set_owner() is called. False where there
    // is no room.
    [[nodiscard]] bool expect_owner(Instant now, const turn::ClientFlow& flow, std::uint8_t shard) {
        return set(owners_, now, flow, shard);
    }
    void set_owner(const turn::ClientFlow& flow, std::uint8_t shard);
    void clear_owner(const turn::ClientFlow& flow) { owners_.erase(flow); }

    // On the shard that has the allocation: where they arrive.
    std::optional<std::uint8_t> origin_of(const turn::ClientFlow& flow) const {
        if (origins_.empty()) return std::nullopt;
        const auto found = origins_.find(flow);
        return found == origins_.end() ? std::nullopt : std::optional{found->second.shard};
    }
    // A request came from there: remembered for a while, and for good once keep() is called.
    // False where there is no room.
    [[nodiscard]] bool set_origin(Instant now, const turn::ClientFlow& flow, std::uint8_t shard) {
        return set(origins_, now, flow, shard);
    }
    void keep(const turn::ClientFlow& flow);
    void clear_origin(const turn::ClientFlow& flow) { origins_.erase(flow); }
    void expire(Instant now);

    // Those of allocations, for a handover. Calls `each` with a flow and its other shard.
    template <class Each>
    void each_owner(Each&& each) const {
        for_each_kept(owners_, each);
    }
    template <class Each>
    void each_origin(Each&& each) const {
        for_each_kept(origins_, each);
    }
    void resume_origin(Instant now, const turn::ClientFlow& flow, std::uint8_t shard) {
        if (set_origin(now, flow, shard)) keep(flow);
    }

private:
    struct Other {
        std::uint8_t shard = 0;
        std::optional<Instant> expires;  // absent: there is an allocation
    };
    using Flows = std::map<turn::ClientFlow, Other>;
    template <class Each>
    static void for_each_kept(const Flows& flows, Each& each) {
        for (const auto& [flow, other] : flows) {
            if (!other.expires) each(flow, other.shard);
        }
    }
    static bool set(Flows& flows, Instant now, const turn::ClientFlow& flow, std::uint8_t shard);

    Flows owners_;
    Flows origins_;
};

}  // namespace stile::relay
