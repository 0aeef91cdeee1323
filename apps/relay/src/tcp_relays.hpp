// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "splice.hpp"

#include <stile/drivers/tcp.hpp>
#include <stile/relay/handover.hpp>
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

    // Before copies are made: connects that are under way fail, because another process could not
    // go on with them, and what was spliced is accounted for.
    void settle();
    // For another process. Absent where it cannot go on with it.
    [[nodiscard]] std::optional<HandedRelay> copy(turn::RelayId relay) const;
    [[nodiscard]] std::optional<HandedConnection> copy(turn::ConnectionId connection) const;
    // That process has it: out of here, without ending anything.
    void let_go(turn::RelayId relay);
    void let_go(turn::ConnectionId connection);
    void resume(HandedRelay handed);
    void resume(HandedConnection handed);

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
    void splice(turn::ConnectionId connection, std::unique_ptr<drivers::Stream> client,
                BytesView early);
    drivers::TcpListener::OnAccept accepting(turn::RelayId relay);
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
