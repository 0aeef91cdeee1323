// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Permissions and channels. RFC 8656 Sections 9 and 12.
#include <stile/turn/allocation_table.hpp>

#include <stile/turn/limits.hpp>

#include "allocation_keys.hpp"

#include <algorithm>
#include <utility>

namespace stile::turn {
namespace {

Traffic counted(const Channel& channel, const PeerChannel& back) {
    return {.packets_to_peers = channel.packets,
            .octets_to_peers = channel.octets,
            .packets_to_clients = back.packets,
            .octets_to_clients = back.octets};
}

}  // namespace

bool AllocationTable::has_room_for(Allocation& allocation, std::span<const IpAddress> peers,
                                   Instant now, std::size_t most) {
    const auto fits = [&] {
        const auto fresh = std::ranges::count_if(peers, [&](const IpAddress& peer) {
            return permissions_.find(key_of(allocation.index, SocketAddress{.ip = peer})) ==
                   nullptr;
        });
        return allocation.permissions.size() + static_cast<std::size_t>(fresh) <= most;
    };
    if (fits()) return true;
    drop_expired_permissions(allocation, now);
    return fits();
}

void AllocationTable::install_permission(Allocation& allocation, const IpAddress& peer,
                                         Instant now) {
    const Instant expires = now + permission_lifetime;
    if (Instant* known = permissions_.find(key_of(allocation.index, SocketAddress{.ip = peer}))) {
        *known = expires;
    } else {
        restore_permission(allocation, peer, expires);
    }
}

void AllocationTable::restore_permission(Allocation& allocation, const IpAddress& peer,
                                         Instant expires) {
    allocation.permissions.push_back(peer);
    permissions_.insert(key_of(allocation.index, SocketAddress{.ip = peer}), expires);
}

bool AllocationTable::permits(AllocationIndex allocation, const IpAddress& peer,
                              Instant now) const {
    return permitted_until(allocation, peer, now).has_value();
}

std::optional<Instant> AllocationTable::permitted_until(AllocationIndex allocation,
                                                        const IpAddress& peer, Instant now) const {
    const Instant* expires = permissions_.find(key_of(allocation, SocketAddress{.ip = peer}));
    if (expires == nullptr || now >= *expires) return std::nullopt;
    return *expires;
}

AllocationTable::Bound AllocationTable::prepare_channel(Allocation& allocation,
                                                        ChannelNumber number,
                                                        const SocketAddress& peer, Instant now,
                                                        std::size_t most) {
    const auto number_key = key_of(allocation.index, number);
    const Channel* known = channels_.find(number_key);
    if (known != nullptr && known->peer == peer) return Bound::Done;
    if (find_channel(allocation.index, number, now) != nullptr ||
        find_channel_of(allocation.index, peer, now) != nullptr) {
        return Bound::Conflict;
    }
    // Expired bindings of this number or this peer are in the way, too.
    if (allocation.channels.size() >= most || known != nullptr ||
        channels_by_peer_.find(key_of(allocation.index, peer)) != nullptr) {
        drop_expired_channels(allocation, now);
    }
    return allocation.channels.size() >= most ? Bound::Full : Bound::Done;
}

void AllocationTable::bind_channel(Allocation& allocation, ChannelNumber number,
                                   const SocketAddress& peer, Instant now) {
    const Instant expires = now + channel_lifetime;
    Channel* known = channels_.find(key_of(allocation.index, number));
    if (known == nullptr) return restore_channel(allocation, number, peer, expires);
    PeerChannel& back = *channels_by_peer_.find(key_of(allocation.index, peer));
    known->expires = expires;
    back.expires = expires;
    fold_traffic(allocation, *known, back);
}

void AllocationTable::restore_channel(Allocation& allocation, ChannelNumber number,
                                      const SocketAddress& peer, Instant expires) {
    allocation.channels.push_back(number);
    const RelayId relay = relays_[*allocation.relay_of(peer.ip.family())].id;
    channels_.insert(key_of(allocation.index, number),
                     Channel{.peer = peer, .relay = relay, .expires = expires});
    channels_by_peer_.insert(key_of(allocation.index, peer),
                             PeerChannel{.number = number, .expires = expires});
}

const Channel* AllocationTable::find_channel(AllocationIndex allocation, ChannelNumber number,
                                             Instant now) const {
    const Channel* channel = channels_.find(key_of(allocation, number));
    return channel != nullptr && now < channel->expires ? channel : nullptr;
}

Channel* AllocationTable::find_channel(AllocationIndex allocation, ChannelNumber number,
                                       Instant now) {
    Channel* channel = channels_.find(key_of(allocation, number));
    return channel != nullptr && now < channel->expires ? channel : nullptr;
}

PeerChannel* AllocationTable::find_channel_of(AllocationIndex allocation, const SocketAddress& peer,
                                              Instant now) {
    PeerChannel* channel = channels_by_peer_.find(key_of(allocation, peer));
    return channel != nullptr && now < channel->expires ? channel : nullptr;
}

Traffic AllocationTable::traffic_of(const Allocation& allocation) const {
    Traffic sum = allocation.traffic;
    for (const ChannelNumber number : allocation.channels) {
        const Channel& channel = *channels_.find(key_of(allocation.index, number));
        const PeerChannel& back = *channels_by_peer_.find(key_of(allocation.index, channel.peer));
        sum += counted(channel, back);
    }
    return sum;
}

void AllocationTable::fold_traffic(Allocation& allocation, Channel& channel, PeerChannel& back) {
    allocation.traffic += counted(channel, back);
    channel.packets = back.packets = 0;
    channel.octets = back.octets = 0;
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
    Channel& channel = *channels_.find(key);
    const auto peer_key = key_of(allocation.index, channel.peer);
    PeerChannel& back = *channels_by_peer_.find(peer_key);
    fold_traffic(allocation, channel, back);
    if (back.path == PeerChannel::Path::Offloaded) {
        withdrawn_.push_back({.relay = channel.relay, .channel = list[position]});
    }
    channels_by_peer_.erase(peer_key);
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
