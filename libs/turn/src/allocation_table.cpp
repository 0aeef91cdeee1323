// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/allocation_table.hpp>

#include <stile/base/assert.hpp>
#include <stile/turn/limits.hpp>

#include "allocation_keys.hpp"

#include <algorithm>
#include <utility>

namespace stile::turn {
namespace {

// Marks the value of a 5-tuple that an allocation is moving to.
constexpr AllocationIndex arriving_bit = 1U << 31U;
static_assert(most_allocations < arriving_bit);

HashSeed derive(HashSeed seed, std::uint64_t number) {
    return {.k0 = table_hash(seed, std::array{number, std::uint64_t{0}}),
            .k1 = table_hash(seed, std::array{number, std::uint64_t{1}})};
}

}  // namespace

AllocationTable::AllocationTable(HashSeed seed)
    : flows_(derive(seed, 0)),
      open_relays_(derive(seed, 1)),
      permissions_(derive(seed, 2)),
      channels_(derive(seed, 3)),
      channels_by_peer_(derive(seed, 4)) {}

Allocation* AllocationTable::find(const ClientFlow& flow) {
    const AllocationIndex* value = flows_.find(key_of(flow));
    return value == nullptr ? nullptr : &allocations_[*value & ~arriving_bit];
}

std::optional<AllocationTable::Found> AllocationTable::look_up(const ClientFlow& flow) const {
    const AllocationIndex* value = flows_.find(key_of(flow));
    if (value == nullptr) return std::nullopt;
    return Found{
        .index = *value & ~arriving_bit,
        .standing = (*value & arriving_bit) != 0 ? Standing::Arriving : Standing::Settled,
    };
}

Allocation& AllocationTable::create(const ClientFlow& flow, std::string username,
                                    stun::TransactionId id) {
    AllocationIndex index = 0;
    if (free_allocations_.empty()) {
        index = static_cast<AllocationIndex>(allocations_.size());
        allocations_.emplace_back();
    } else {
        index = free_allocations_.back();
        free_allocations_.pop_back();
    }
    Allocation& allocation = allocations_[index];
    allocation.index = index;
    allocation.flow = flow;
    allocation.username = std::move(username);
    allocation.created_by = id;
    flows_.insert(key_of(flow), index);
    return allocation;
}

void AllocationTable::remove(Allocation& allocation) {
    STILE_ASSERT(!allocation.has_relay());
    while (!allocation.channels.empty()) drop_channel(allocation, allocation.channels.size() - 1);
    while (!allocation.permissions.empty()) {
        drop_permission(allocation, allocation.permissions.size() - 1);
    }
    erase_flow(allocation.flow, allocation.index);
    if (allocation.mobility) {
        if (allocation.mobility->moving_to) cancel_move(allocation);
        mobile_.erase(allocation.mobility->id);
    }
    const AllocationIndex index = allocation.index;
    allocation = Allocation{};
    free_allocations_.push_back(index);
}

// A detached 5-tuple may be another's by now.
void AllocationTable::erase_flow(const ClientFlow& flow, AllocationIndex index) {
    const auto key = key_of(flow);
    const AllocationIndex* value = flows_.find(key);
    if (value != nullptr && (*value & ~arriving_bit) == index) flows_.erase(key);
}

void AllocationTable::set_mobility(Allocation& allocation, Mobility mobility) {
    mobile_.emplace(mobility.id, allocation.index);
    const auto moving_to = std::exchange(mobility.moving_to, std::nullopt);
    allocation.mobility = std::make_unique<Mobility>(std::move(mobility));
    if (allocation.mobility->old == Mobility::Old::Left) detach(allocation);
    if (moving_to && find(*moving_to) == nullptr) begin_move(allocation, *moving_to);
}

Allocation* AllocationTable::find_mobile(std::uint64_t id) {
    const auto known = mobile_.find(id);
    return known == mobile_.end() ? nullptr : &allocations_[known->second];
}

void AllocationTable::begin_move(Allocation& allocation, const ClientFlow& to) {
    if (allocation.mobility->moving_to) cancel_move(allocation);
    flows_.insert(key_of(to), allocation.index | arriving_bit);
    allocation.mobility->moving_to = to;
}

void AllocationTable::settle_move(Allocation& allocation) {
    const ClientFlow to = *std::exchange(allocation.mobility->moving_to, std::nullopt);
    // A client whose connection closed may come back from the same place.
    if (to != allocation.flow) erase_flow(allocation.flow, allocation.index);
    allocation.flow = to;
    allocation.mobility->old = Mobility::Old::There;
    *flows_.find(key_of(allocation.flow)) = allocation.index;
    for (const auto& index : allocation.relays) {
        if (index) relays_[*index].flow = allocation.flow;
    }
}

void AllocationTable::cancel_move(Allocation& allocation) {
    erase_flow(*allocation.mobility->moving_to, allocation.index);
    allocation.mobility->moving_to.reset();
}

void AllocationTable::detach(Allocation& allocation) {
    erase_flow(allocation.flow, allocation.index);
    allocation.mobility->old = Mobility::Old::Left;
    for (const auto& index : allocation.relays) {
        if (index) relays_[*index].flow = {};
    }
}

Relay& AllocationTable::add_relay(AddressFamily family, RelayProtocol protocol,
                                  UserTable::Place user, Instant deadline) {
    std::uint32_t index = 0;
    if (free_relays_.empty()) {
        index = static_cast<std::uint32_t>(relays_.size());
        relays_.emplace_back();
        relays_.back().id.index = index;
    } else {
        index = free_relays_.back();
        free_relays_.pop_back();
    }
    Relay& relay = relays_[index];
    relay.state = Relay::State::Opening;
    relay.family = family;
    relay.protocol = protocol;
    relay.user = user;
    set_deadline(relay, deadline);
    return relay;
}

Relay* AllocationTable::restore_relay(RelayId id, RelayProtocol protocol,
                                      const SocketAddress& address, UserTable::Place user,
                                      Relay::State state, Instant deadline) {
    if (id.index >= most_relays) return nullptr;
    while (relays_.size() <= id.index) {
        const auto index = static_cast<std::uint32_t>(relays_.size());
        relays_.emplace_back();
        relays_.back().id.index = index;
    }
    Relay& relay = relays_[id.index];
    if (relay.state != Relay::State::Free) return nullptr;
    relay.id = id;
    relay.family = address.ip.family();
    relay.protocol = protocol;
    if (!set_open(relay, address, state)) {
        relay = Relay{.id = id};
        return nullptr;
    }
    relay.user = user;
    set_deadline(relay, deadline);
    return &relay;
}

void AllocationTable::finish_restoring() {
    free_relays_.clear();
    for (const Relay& relay : relays_) {
        if (relay.state == Relay::State::Free) free_relays_.push_back(relay.id.index);
    }
}

Relay* AllocationTable::find(RelayId id) {
    if (id.index >= relays_.size()) return nullptr;
    Relay& relay = relays_[id.index];
    return relay.id == id && relay.state != Relay::State::Free ? &relay : nullptr;
}

Relay* AllocationTable::find_open(const SocketAddress& address, RelayProtocol protocol) {
    const std::uint32_t* index = open_relays_.find(key_of(protocol, address));
    return index == nullptr ? nullptr : &relays_[*index];
}

bool AllocationTable::set_open(Relay& relay, const SocketAddress& address, Relay::State state) {
    const auto key = key_of(relay.protocol, address);
    if (open_relays_.find(key) != nullptr) return false;
    relay.address = address;
    relay.state = state;
    if (relay.allocation) relay.flow = allocations_[*relay.allocation].flow;
    open_relays_.insert(key, relay.id.index);
    relay_ips_.insert(address.ip);
    return true;
}

void AllocationTable::set_deadline(Relay& relay, Instant deadline) {
    deadlines_.update(relay.id.index, relay.deadline, deadline);
}

void AllocationTable::remove(Relay& relay) {
    deadlines_.update(relay.id.index, relay.deadline, std::nullopt);
    if (relay.state == Relay::State::Reserved) tokens_.erase(relay.token);
    const auto key = key_of(relay.protocol, relay.address);
    const auto open = open_relays_.find(key);
    if (open != nullptr && *open == relay.id.index) open_relays_.erase(key);
    if (relay.allocation) {
        Allocation& allocation = allocations_[*relay.allocation];
        allocation.relay_of(relay.family).reset();
        for (std::size_t i = allocation.channels.size(); i-- > 0;) {
            const Channel* channel =
                channels_.find(key_of(allocation.index, allocation.channels[i]));
            if (channel->peer.ip.family() == relay.family) drop_channel(allocation, i);
        }
        for (std::size_t i = allocation.permissions.size(); i-- > 0;) {
            if (allocation.permissions[i].family() == relay.family) drop_permission(allocation, i);
        }
    }
    const RelayId id{.index = relay.id.index, .generation = relay.id.generation + 1};
    relay = Relay{.id = id};
    free_relays_.push_back(id.index);
}

void AllocationTable::set_token(Relay& relay, const stun::ReservationToken& token) {
    relay.token = token;
    tokens_.emplace(token, relay.id.index);
}

Relay* AllocationTable::find_reserved(const stun::ReservationToken& token) {
    const auto known = tokens_.find(token);
    return known == tokens_.end() ? nullptr : &relays_[known->second];
}

void AllocationTable::take_reserved(Relay& relay, Allocation& allocation) {
    tokens_.erase(relay.token);
    relay.state = Relay::State::Allocated;
    relay.allocation = allocation.index;
    relay.flow = allocation.flow;
    allocation.relay_of(relay.family) = relay.id.index;
}

Relay* AllocationTable::first_expired(Instant now) {
    const auto index = deadlines_.expired(now);
    return index ? &relays_[*index] : nullptr;
}

}  // namespace stile::turn
