// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "splice.hpp"

#include <stile/drivers/tcp.hpp>
#include <stile/turn/relay_directory.hpp>
#include <stile/turn_server/service.hpp>

#include <map>
#include <memory>

namespace stile::relay {

// TCP between relays and peers, of one tenant on one shard. RFC 6062.
class TcpRelays {
public:
    // `changed` after the core was told something that it may answer to.
    TcpRelays(drivers::Loop& loop, turn_server::Service& service, turn::RelayDirectory& directory,
              drivers::Task changed);

    // False where the port is taken.
    bool listen(turn::RelayId relay, const SocketAddress& local);
    void close(turn::RelayId relay);

    void connect(const turn::ConnectionWanted& wanted);
    // The client's connection, and what came on it after its ConnectionBind.
    void join(turn::ConnectionId connection, std::unique_ptr<drivers::Stream> client,
              BytesView early);
    void close(turn::ConnectionId connection);
    bool has(turn::ConnectionId connection) const { return connections_.contains(connection); }

private:
    struct Relay {
        SocketAddress local;
        std::unique_ptr<drivers::TcpListener> listener;
    };
    struct Connection {
        std::unique_ptr<drivers::Stream> peer;  // until it is joined
        std::unique_ptr<Splice> splice;
    };

    void accept(turn::RelayId relay, std::unique_ptr<drivers::TcpStream> stream);
    void wait_for_client(turn::ConnectionId connection, drivers::Stream& peer);
    void opened(turn::ConnectionId connection);
    void lost(turn::ConnectionId connection, drivers::CloseReason reason);
    void retire(Connection connection);

    drivers::Loop& loop_;
    turn_server::Service& service_;
    turn::RelayDirectory& directory_;
    drivers::Task changed_;
    std::map<turn::RelayId, Relay> relays_;
    std::map<turn::ConnectionId, Connection> connections_;
    std::map<turn::ConnectionId, bool> connecting_;
    // Both ends are done, and the last octets on their way.
    std::map<Splice*, std::unique_ptr<Splice>> ending_;
};

}  // namespace stile::relay
