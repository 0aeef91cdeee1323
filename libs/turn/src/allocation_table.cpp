// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/allocation_table.hpp>

#include <stile/base/assert.hpp>
#include <stile/turn/limits.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace stile::turn {
namespace {

std::array<std::uint64_t, 2> words_of(const IpAddress& ip) {
    std::array<std::uint64_t, 2> words{};
    const BytesView octets = ip.octets();
    std::memcpy(words.data(), octets.data(), octets.size());
    return words;
}

std::uint64_t bit_of(AddressFamily family) { return family == AddressFamily::V6 ? 1U : 0U; }

std::array<std::uint64_t, 5> key_of(const ClientFlow& flow) {
    const auto local = words_of(flow.local.ip);
    const auto remote = words_of(flow.remote.ip);
    const std::uint64_t rest =
        std::uint64_t{flow.local.port.value} << 48U | std::uint64_t{flow.remote.port.value} << 32U |
        static_cast<std::uint64_t>(flow.transport) << 2U | bit_of(flow.local.ip.family()) << 1U |
        bit_of(flow.remote.ip.family());
    return {local[0], local[1], remote[0], remote[1], rest};
}

// An address within the context of an allocation; index and port both matter or are 0.
std::array<std::uint64_t, 3> key_of(AllocationIndex index, const SocketAddress& address) {
    const auto ip = words_of(address.ip);
    return {ip[0], ip[1],
            std::uint64_t{index} << 32U | std::uint64_t{address.port.value} << 8U |
                bit_of(address.ip.family())};
}

std::array<std::uint64_t, 1> key_of(AllocationIndex index, ChannelNumber number) {
    return {std::uint64_t{index} << 16U | number.value};
}

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
    const AllocationIndex* index = flows_.find(key_of(flow));
    return index == nullptr ? nullptr : &allocations_[*index];
}

std::optional<AllocationIndex> AllocationTable::index_of(const ClientFlow& flow) const {
    const AllocationIndex* index = flows_.find(key_of(flow));
    return index == nullptr ? std::nullopt : std::optional{*index};
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
    flows_.erase(key_of(allocation.flow));
    const AllocationIndex index = allocation.index;
    allocation = Allocation{};
    free_allocations_.push_back(index);
}

Relay& AllocationTable::add_relay(AddressFamily family, Users::iterator user, Instant deadline) {
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
    relay.user = user;
    set_deadline(relay, deadline);
    return relay;
}

Relay* AllocationTable::find(RelayId id) {
    if (id.index >= relays_.size()) return nullptr;
    Relay& relay = relays_[id.index];
    return relay.id == id && relay.state != Relay::State::Free ? &relay : nullptr;
}

Relay* AllocationTable::find_open(const SocketAddress& address) {
    const std::uint32_t* index = open_relays_.find(key_of(0, address));
    return index == nullptr ? nullptr : &relays_[*index];
}

bool AllocationTable::set_open(Relay& relay, const SocketAddress& address, Relay::State state) {
    if (open_relays_.find(key_of(0, address)) != nullptr) return false;
    relay.address = address;
    relay.state = state;
    if (relay.allocation) relay.flow = allocations_[*relay.allocation].flow;
    open_relays_.insert(key_of(0, address), relay.id.index);
    relay_ips_.insert(address.ip);
    return true;
}

void AllocationTable::clear_deadline(Relay& relay) {
    if (relay.deadline) deadlines_.erase({*relay.deadline, relay.id.index});
    relay.deadline.reset();
}

void AllocationTable::set_deadline(Relay& relay, Instant deadline) {
    clear_deadline(relay);
    relay.deadline = deadline;
    deadlines_.emplace(deadline, relay.id.index);
}

void AllocationTable::remove(Relay& relay) {
    clear_deadline(relay);
    if (relay.state == Relay::State::Reserved) tokens_.erase(relay.token);
    const auto open = open_relays_.find(key_of(0, relay.address));
    if (open != nullptr && *open == relay.id.index) open_relays_.erase(key_of(0, relay.address));
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

std::optional<Instant> AllocationTable::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

Relay* AllocationTable::first_expired(Instant now) {
    if (deadlines_.empty() || now < deadlines_.begin()->first) return nullptr;
    return &relays_[deadlines_.begin()->second];
}

AllocationTable::Installed AllocationTable::install_permission(Allocation& allocation,
                                                               const IpAddress& peer, Instant now,
                                                               std::size_t most) {
    const auto key = key_of(allocation.index, SocketAddress{.ip = peer});
    const Instant expires = now + permission_lifetime;
    if (Instant* known = permissions_.find(key)) {
        *known = expires;
        return Installed::Done;
    }
    if (allocation.permissions.size() >= most) drop_expired_permissions(allocation, now);
    if (allocation.permissions.size() >= most) return Installed::Full;
    allocation.permissions.push_back(peer);
    permissions_.insert(key, expires);
    return Installed::Done;
}

bool AllocationTable::permits(AllocationIndex allocation, const IpAddress& peer,
                              Instant now) const {
    const Instant* expires = permissions_.find(key_of(allocation, SocketAddress{.ip = peer}));
    return expires != nullptr && now < *expires;
}

AllocationTable::Bound AllocationTable::bind_channel(Allocation& allocation, ChannelNumber number,
                                                     const SocketAddress& peer, Instant now,
                                                     std::size_t most) {
    const auto number_key = key_of(allocation.index, number);
    const auto peer_key = key_of(allocation.index, peer);
    const Instant expires = now + channel_lifetime;
    if (Channel* known = channels_.find(number_key); known != nullptr && known->peer == peer) {
        known->expires = expires;
        channels_by_peer_.find(peer_key)->expires = expires;
        return Bound::Done;
    }
    if (find_channel(allocation.index, number, now) != nullptr ||
        channel_of(allocation.index, peer, now)) {
        return Bound::Conflict;
    }
    // Expired bindings of this number or this peer are in the way, too.
    if (allocation.channels.size() >= most || channels_.find(number_key) != nullptr ||
        channels_by_peer_.find(peer_key) != nullptr) {
        drop_expired_channels(allocation, now);
    }
    if (allocation.channels.size() >= most) return Bound::Full;
    allocation.channels.push_back(number);
    const RelayId relay = relays_[*allocation.relay_of(peer.ip.family())].id;
    channels_.insert(number_key, Channel{.peer = peer, .relay = relay, .expires = expires});
    channels_by_peer_.insert(peer_key, PeerChannel{.number = number, .expires = expires});
    return Bound::Done;
}

const Channel* AllocationTable::find_channel(AllocationIndex allocation, ChannelNumber number,
                                             Instant now) const {
    const Channel* channel = channels_.find(key_of(allocation, number));
    return channel != nullptr && now < channel->expires ? channel : nullptr;
}

std::optional<ChannelNumber> AllocationTable::channel_of(AllocationIndex allocation,
                                                         const SocketAddress& peer,
                                                         Instant now) const {
    const PeerChannel* channel = channels_by_peer_.find(key_of(allocation, peer));
    if (channel == nullptr || now >= channel->expires) return std::nullopt;
    return channel->number;
}

void AllocationTable::drop_permission(Allocation& allocation, std::size_t position) {
    auto& list = allocation.permissions;
    permissions_.erase(key_of(allocation.index, SocketAddress{.ip = list[position]}));
    std::swap(list[position], list.back());
    list.pop_back();
}

void AllocationTable::drop_channel(Allocation& allocation, std::size_t position) {
    auto& list = allocation.channels;
    const auto key = key_of(allocation.index, list[position]);
    channels_by_peer_.erase(key_of(allocation.index, channels_.find(key)->peer));
    channels_.erase(key);
    std::swap(list[position], list.back());
    list.pop_back();
}

void AllocationTable::drop_expired_permissions(Allocation& allocation, Instant now) {
    for (std::size_t i = allocation.permissions.size(); i-- > 0;) {
        if (!permits(allocation.index, allocation.permissions[i], now))
            drop_permission(allocation, i);
    }
}

void AllocationTable::drop_expired_channels(Allocation& allocation, Instant now) {
    for (std::size_t i = allocation.channels.size(); i-- > 0;) {
        if (find_channel(allocation.index, allocation.channels[i], now) == nullptr) {
            drop_channel(allocation, i);
        }
    }
}

}  // namespace stile::turn
