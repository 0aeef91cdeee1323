// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/relay/settings.hpp>
#include <stile/turn/snapshot.hpp>

#include <cstddef>
#include <vector>

namespace stile::relay {

// What a successor process continues with: sockets and the state that belongs to them. TLS and DTLS
// sessions are not among it, because their state cannot leave the process that made it. How it
// travels (SCM_RIGHTS) is the program's matter.

struct HandedListener {
    Listener listener;  // with the port that it got
    drivers::FileDescriptor socket;
};

struct HandedRelay {
    std::size_t tenant = 0;
    turn::RelayId relay;
    SocketAddress address;  // the socket's own
    drivers::FileDescriptor socket;
};

// A plain TCP client, or a data connection of RFC 6062.
struct HandedStream {
    std::size_t tenant = 0;
    turn::ClientFlow flow;
    drivers::FileDescriptor socket;
    Bytes unread;  // the begin of a message, received already
    Bytes unsent;
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
};

struct Handover {
    std::vector<HandedShard> shards;  // the successor has as many
};

}  // namespace stile::relay
