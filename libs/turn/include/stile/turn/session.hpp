// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn/relay.hpp>

#include <string>
#include <vector>

namespace stile::turn {

// Payload only. Of TCP relays no packets are counted.
struct Traffic {
    std::uint64_t packets_to_peers = 0;
    std::uint64_t octets_to_peers = 0;
    std::uint64_t packets_to_clients = 0;
    std::uint64_t octets_to_clients = 0;

    Traffic& operator+=(const Traffic& more) {
        packets_to_peers += more.packets_to_peers;
        octets_to_peers += more.octets_to_peers;
        packets_to_clients += more.packets_to_clients;
        octets_to_clients += more.octets_to_clients;
        return *this;
    }
    friend bool operator==(const Traffic&, const Traffic&) = default;
};

// What an operator sees of one allocation.
struct Session {
    struct Permission {
        IpAddress peer;
        Instant expires;
        friend bool operator==(const Permission&, const Permission&) = default;
    };
    struct Channel {
        ChannelNumber number;
        SocketAddress peer;
        Instant expires;
        friend bool operator==(const Channel&, const Channel&) = default;
    };

    ClientFlow flow;
    std::string username;
    std::string owner;  // whom quotas count
    RelayProtocol protocol = RelayProtocol::Udp;
    std::vector<SocketAddress> relayed;
    Instant started;
    Instant expires;                      // of the relay that lives longest
    std::vector<Permission> permissions;  // unexpired ones, as the next
    std::vector<Channel> channels;
    std::size_t connections = 0;  // of RFC 6062
    Traffic traffic;
};

enum class EndReason : std::uint8_t {
    Released,    // by the client, with lifetime 0
    Expired,     // not refreshed
    ClientGone,  // its connection was closed
};

// What an allocation was, for accounting. Its permissions and channels are those of the end.
struct Usage {
    Session session;
    EndReason why = EndReason::Released;
    Instant ended;
};

}  // namespace stile::turn
