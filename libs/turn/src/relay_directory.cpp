// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/relay_directory.hpp>

#include <stile/base/assert.hpp>
#include <stile/turn/limits.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

constexpr std::size_t word_bits = 64;

std::size_t word_of(Port port) { return port.value / word_bits; }
std::uint64_t bit_of(Port port) { return std::uint64_t{1} << (port.value % word_bits); }

}  // namespace

RelayDirectory::RelayDirectory(std::vector<Address> addresses) {
    STILE_ASSERT(addresses.size() <= most_relay_addresses);
    for (const Address& address : addresses) {
        STILE_ASSERT(address.local.family() == address.external.family());
        STILE_ASSERT(find(address.external) == nullptr);
        entries_.push_back(std::make_unique<Entry>());
        entries_.back()->address = address;
        if (address.local != address.external) translates_ = true;
    }
}

// A handful of addresses: a scan is as fast as anything.
RelayDirectory::Entry* RelayDirectory::find(const IpAddress& external) const {
    const auto found = std::ranges::find_if(
        entries_, [&](const auto& entry) { return entry->address.external == external; });
    return found == entries_.end() ? nullptr : found->get();
}

void RelayDirectory::add(const SocketAddress& relayed, RelayProtocol protocol) {
    if (Entry* entry = find(relayed.ip)) {
        Ports& ports = entry->ports[static_cast<std::size_t>(protocol)];
        ports[word_of(relayed.port)].fetch_or(bit_of(relayed.port), std::memory_order_relaxed);
    }
}

void RelayDirectory::remove(const SocketAddress& relayed, RelayProtocol protocol) {
    if (Entry* entry = find(relayed.ip)) {
        Ports& ports = entry->ports[static_cast<std::size_t>(protocol)];
        ports[word_of(relayed.port)].fetch_and(~bit_of(relayed.port), std::memory_order_relaxed);
    }
}

bool RelayDirectory::contains(const SocketAddress& relayed, RelayProtocol protocol) const {
    const Entry* entry = find(relayed.ip);
    if (entry == nullptr) return false;
    const Ports& ports = entry->ports[static_cast<std::size_t>(protocol)];
    return (ports[word_of(relayed.port)].load(std::memory_order_relaxed) & bit_of(relayed.port)) !=
           0;
}

SocketAddress RelayDirectory::local_of(const SocketAddress& relayed) const {
    if (!translates_) return relayed;
    const Entry* entry = find(relayed.ip);
    return entry == nullptr ? relayed
                            : SocketAddress{.ip = entry->address.local, .port = relayed.port};
}

SocketAddress RelayDirectory::external_of(const SocketAddress& source,
                                          RelayProtocol protocol) const {
    if (!translates_) return source;
    for (const auto& entry : entries_) {
        const SocketAddress external{.ip = entry->address.external, .port = source.port};
        if (entry->address.local == source.ip && contains(external, protocol)) return external;
    }
    return source;
}

}  // namespace stile::turn
