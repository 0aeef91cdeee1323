// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "channel_table.hpp"

#include <atomic>
#include <limits>

namespace stile::drivers::kernel {

namespace {

using Installed = KernelRelay::Installed;

bool is_usable(const SocketAddress& address) {
    // A mapped address would be mistaken for IPv4 in the maps.
    return address.port.value != 0 && !address.ip.is_unspecified() && !address.ip.is_multicast() &&
           address.ip.unmapped() == address.ip;
}

bool is_usable(const KernelRelay::Channel& channel) {
    const auto& key = channel.key;
    return is_usable(key.server) && is_usable(key.client) && is_usable(channel.relayed) &&
           is_usable(channel.peer) && key.channel >= 0x4000 && key.channel <= 0x7FFF &&
           key.server.ip.family() == key.client.ip.family() &&
           channel.relayed.ip.family() == channel.peer.ip.family();
}

template <class Number>
std::uint64_t read(const Number& shared) {
    // The kernel counts with atomic additions.
    return std::atomic_ref{const_cast<Number&>(shared)}.load(std::memory_order_relaxed);
}

KernelRelay::Amount read_amount(const relay_amount& amount) {
    return {.packets = read(amount.packets), .octets = read(amount.octets)};
}

KernelRelay::Amount operator-(const KernelRelay::Amount& one, const KernelRelay::Amount& other) {
    return {.packets = one.packets - other.packets, .octets = one.octets - other.octets};
}

}  // namespace

ChannelTable::ChannelTable(Programs& programs, HopTable& hops)
    : programs_(programs), hops_(hops), entries_(programs.channels().size()) {
    for (std::uint32_t slot = 0; slot < entries_.size(); ++slot) free_.push_back(slot);
}

Installed ChannelTable::install(const KernelRelay::Channel& channel) {
    if (const auto known = by_key_.find(channel.key); known != by_key_.end()) {
        const auto& old = entries_[known->second].channel;
        if (old.relayed == channel.relayed && old.peer == channel.peer) {
            update(known->second, channel);
            return Installed::Updated;
        }
        remove(channel.key);
        return add(channel) == Installed::Added ? Installed::Updated : Installed::Refused;
    }
    return add(channel);
}

Installed ChannelTable::add(const KernelRelay::Channel& channel) {
    const Path relay_path{channel.relayed, channel.peer};
    if (!is_usable(channel) || free_.empty() || relay_paths_.contains(relay_path)) {
        return Installed::Refused;
    }
    const auto slot = free_.front();
    free_.pop_front();
    auto& entry = entries_[slot];
    entry = {.channel = channel,
             .hop_to_peer = hops_.acquire(channel.relayed.ip, channel.peer.ip),
             .hop_to_client = hops_.acquire(channel.key.server.ip, channel.key.client.ip)};
    by_key_.emplace(channel.key, slot);
    relay_paths_.insert(relay_path);
    by_peer_.emplace(channel.peer, slot);

    const Path client_path{channel.key.server, channel.key.client};
    auto& shared = programs_.channels()[slot];
    shared = {};
    shared.number = network_order(channel.key.channel);
    shared.to_peer = to_way(client_path, relay_path, entry.hop_to_peer);
    shared.to_client = to_way(relay_path, client_path, entry.hop_to_client);
    write_limits(slot);
    // Last, as from here on packets find it.
    if (!programs_.add_flow(to_key(channel.relayed, channel.peer, 0), slot) ||
        !programs_.add_flow(to_key(channel.key.server, channel.key.client, channel.key.channel),
                            slot)) {
        remove(channel.key);
        return Installed::Refused;
    }
    return Installed::Added;
}

void ChannelTable::update(std::uint32_t slot, const KernelRelay::Channel& channel) {
    entries_[slot].channel = channel;
    write_limits(slot);
}

void ChannelTable::write_limits(std::uint32_t slot) {
    const auto& channel = entries_[slot].channel;
    auto& shared = programs_.channels()[slot];
    std::uint16_t flags = 0;
    if (channel.octets) flags |= RELAY_BUDGETED;
    if (relays_.contains(channel.peer)) flags |= RELAY_PAUSED;
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const auto octets = std::min<std::uint64_t>(channel.octets.value_or(0), most);
    const auto owner = std::min<std::size_t>(channel.owner, most_kernel_owners - 1);
    std::atomic_ref{shared.budget}.store(static_cast<std::int64_t>(octets));
    std::atomic_ref{shared.owner}.store(static_cast<std::uint32_t>(owner));
    std::atomic_ref{shared.flags}.store(flags);
    const auto until = std::max<std::int64_t>(channel.until.time_since_epoch().count(), 0);
    std::atomic_ref{shared.until}.store(static_cast<std::uint64_t>(until));
}

void ChannelTable::remove(const KernelRelay::Key& key) {
    const auto known = by_key_.find(key);
    if (known == by_key_.end()) return;
    const auto slot = known->second;
    auto& entry = entries_[slot];
    const auto& channel = entry.channel;
    programs_.remove_flow(to_key(key.server, key.client, key.channel));
    programs_.remove_flow(to_key(channel.relayed, channel.peer, 0));
    std::atomic_ref{programs_.channels()[slot].until}.store(0);
    take(slot, of_removed_);
    hops_.release(entry.hop_to_peer);
    hops_.release(entry.hop_to_client);
    relay_paths_.erase({channel.relayed, channel.peer});
    const auto [first, last] = by_peer_.equal_range(channel.peer);
    for (auto at = first; at != last; ++at) {
        if (at->second != slot) continue;
        by_peer_.erase(at);
        break;
    }
    by_key_.erase(known);
    free_.push_back(slot);
}

void ChannelTable::add_relay(const SocketAddress& relayed) {
    if (++relays_[relayed] > 1) return;
    const auto [first, last] = by_peer_.equal_range(relayed);
    for (auto at = first; at != last; ++at) {
        std::atomic_ref{programs_.channels()[at->second].flags}.fetch_or(RELAY_PAUSED);
    }
}

void ChannelTable::remove_relay(const SocketAddress& relayed) {
    const auto known = relays_.find(relayed);
    if (known == relays_.end() || --known->second > 0) return;
    relays_.erase(known);
    const auto [first, last] = by_peer_.equal_range(relayed);
    for (auto at = first; at != last; ++at) {
        std::atomic_ref{programs_.channels()[at->second].flags}.fetch_and(
            static_cast<std::uint16_t>(~RELAY_PAUSED));
    }
}

void ChannelTable::take(std::uint32_t slot, std::vector<KernelRelay::ChannelTraffic>& into) {
    auto& entry = entries_[slot];
    const auto& shared = programs_.channels()[slot];
    const auto to_peer = read_amount(shared.peer_amount);
    const auto to_client = read_amount(shared.client_amount);
    if (to_peer.packets == entry.to_peer.packets && to_client.packets == entry.to_client.packets) {
        return;
    }
    into.push_back({.key = entry.channel.key,
                    .tag = entry.channel.tag,
                    .to_peer = to_peer - entry.to_peer,
                    .to_client = to_client - entry.to_client});
    entry.to_peer = to_peer;
    entry.to_client = to_client;
}

std::vector<KernelRelay::ChannelTraffic> ChannelTable::take_traffic() {
    auto traffic = std::exchange(of_removed_, {});
    for (const auto& [key, slot] : by_key_) take(slot, traffic);
    return traffic;
}

}  // namespace stile::drivers::kernel
