// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/relay/settings.hpp>
#include <stile/turn/snapshot.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace stile::relay {

// What a successor process continues with: copies of sockets and the state that belongs to them.
// TLS and DTLS sessions are not among it, because their state cannot leave the process that made
// it. How it travels (SCM_RIGHTS) is the program's matter.

struct HandedListener {
    Listener listener;  // with the port that it got
    drivers::FileDescriptor socket;
};

// A UDP socket, or the listener of a TCP relay.
struct HandedRelay {
    std::size_t tenant = 0;
    turn::RelayId relay;
    SocketAddress address;  // the socket's own
    drivers::FileDescriptor socket;
};

// A plain TCP client, with an allocation or still without.
struct HandedStream {
    std::size_t tenant = 0;
    turn::ClientFlow flow;
    drivers::TcpStream::Released connection;
    Bytes unread;  // the begin of a message, received already
};

// A connection on which nothing whole came yet: neither a message nor a PROXY header.
struct HandedIncoming {
    Listener listener;              // what is expected on it from here on
    std::optional<Path> addresses;  // those that a PROXY header said
    drivers::FileDescriptor socket;
    Bytes unread;
};

// A connection to a peer, RFC 6062, and the client's data connection where it was joined already.
struct HandedConnection {
    std::size_t tenant = 0;
    turn::ConnectionId connection;
    drivers::TcpStream::Released peer;
    std::optional<drivers::TcpStream::Released> client;
};

// A client that arrives at one shard and has its allocation on another.
struct HandedFlow {
    turn::ClientFlow flow;
    std::uint8_t shard = 0;
};

struct HandedTenant {
    std::string realm;
    turn::Snapshot state;
};

struct HandedShard {
    std::vector<HandedListener> listeners;
    std::vector<HandedTenant> tenants;  // in the order of Settings::tenants
    std::vector<HandedRelay> relays;
    std::vector<HandedStream> streams;
    std::vector<HandedIncoming> incoming;
    std::vector<HandedConnection> connections;
    std::vector<HandedFlow> owners;   // of who arrives here: which shard has the allocation
    std::vector<HandedFlow> origins;  // of allocations that are here: where their clients arrive
};

struct Handover {
    std::vector<HandedShard> shards;  // the successor has as many
};

}  // namespace stile::relay
