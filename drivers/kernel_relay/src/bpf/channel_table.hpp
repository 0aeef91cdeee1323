// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hop_table.hpp"

#include <map>
#include <set>

namespace stile::drivers::kernel {

// The channels that are installed: what is in the maps, and what the process remembers of it.
class ChannelTable {
public:
    ChannelTable(Programs& programs, HopTable& hops);

    KernelRelay::Installed install(const KernelRelay::Channel& channel);
    void remove(const KernelRelay::Key& key);
    void add_relay(const SocketAddress& relayed);
    void remove_relay(const SocketAddress& relayed);
    std::vector<KernelRelay::ChannelTraffic> take_traffic();

private:
    struct Entry {
        KernelRelay::Channel channel;
        std::uint32_t hop_to_peer = 0;
        std::uint32_t hop_to_client = 0;
        // Already told.
        KernelRelay::Amount to_peer;
        KernelRelay::Amount to_client;
    };

    KernelRelay::Installed add(const KernelRelay::Channel& channel);
    void update(std::uint32_t slot, const KernelRelay::Channel& channel);
    void write_limits(std::uint32_t slot);
    void take(std::uint32_t slot, std::vector<KernelRelay::ChannelTraffic>& into);

    Programs& programs_;
    HopTable& hops_;
    std::vector<Entry> entries_;
    std::map<KernelRelay::Key, std::uint32_t> by_key_;
    std::set<Path> relay_paths_;  // relayed address and peer of each
    std::multimap<SocketAddress, std::uint32_t> by_peer_;
    std::map<SocketAddress, std::size_t> relays_;
    // First in, first out: a program that still looks at a slot is done long before its next use.
    std::deque<std::uint32_t> free_;
    std::vector<KernelRelay::ChannelTraffic> of_removed_;
};

}  // namespace stile::drivers::kernel
