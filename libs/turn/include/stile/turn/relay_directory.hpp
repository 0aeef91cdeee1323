// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn/relay.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace stile::turn {

// Which relayed addresses are live on this host, whichever server (shard) they belong to. A peer
// that is one of them is reached through the host itself, while every other port of these addresses
// is none. Behind one-to-one NAT, peers see `external` where sockets have `local`.
//
// One object for all servers of a process, which outlives them: each adds and removes its own
// relays, and all look up, from any thread, without waiting.
class RelayDirectory {
public:
    struct Address {
        IpAddress local;
        IpAddress external;  // the same where there is no NAT
    };

    // Requires: at most most_relay_addresses, none twice, of one family each.
    explicit RelayDirectory(std::vector<Address> addresses);

    // `relayed` is what peers see. An address that is not listed is ignored.
    void add(const SocketAddress& relayed, RelayProtocol protocol);
    void remove(const SocketAddress& relayed, RelayProtocol protocol);
    bool contains(const SocketAddress& relayed, RelayProtocol protocol) const;

    bool is_relay_address(const IpAddress& external) const { return find(external) != nullptr; }
    // Whether any address is called otherwise outside.
    bool translates() const { return translates_; }
    // Where this host itself reaches the relay; the address unchanged where it is not listed.
    SocketAddress local_of(const SocketAddress& relayed) const;
    // What the source address of a datagram or connection is called, where it is a relay's.
    SocketAddress external_of(const SocketAddress& source, RelayProtocol protocol) const;

private:
    using Ports = std::array<std::atomic<std::uint64_t>, 65536 / 64>;
    struct Entry {
        Address address;
        std::array<Ports, 2> ports;  // by protocol
    };
    Entry* find(const IpAddress& external) const;

    std::vector<std::unique_ptr<Entry>> entries_;
    bool translates_ = false;
};

}  // namespace stile::turn
