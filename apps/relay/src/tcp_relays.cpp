// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_relays.hpp"

#include <utility>

namespace stile::relay {
namespace {

using drivers::CloseReason;

// A splice stops reading from one side when the other owes more than the low-water mark, and what a
// read brings at most has to fit above it.
constexpr std::size_t most_buffered_of_relay = 1'048'576;

turn::ConnectionFailure failure_of(CloseReason reason) {
    return reason == CloseReason::Failed ? turn::ConnectionFailure::NoSocket
                                         : turn::ConnectionFailure::PeerUnreachable;
}

}  // namespace

TcpRelays::TcpRelays(drivers::Loop& loop, turn_server::Service& service,
                     turn::RelayDirectory& directory, drivers::Task changed)
    : loop_(loop), service_(service), directory_(directory), changed_(std::move(changed)) {}

bool TcpRelays::listen(turn::RelayId relay, const SocketAddress& local) {
    auto listener = drivers::TcpListener::open(
        loop_, local,
        [this, relay](std::unique_ptr<drivers::TcpStream> stream) {
            accept(relay, std::move(stream));
        },
        {.reuse_port = drivers::ListenOptions::ReusePort::Yes,
         .backlog = 64,
         .accepted = {.most_buffered = most_buffered_of_relay, .local = {}}});
    if (!listener) return false;
    relays_[relay] = {.local = local, .listener = *std::move(listener)};
    return true;
}

void TcpRelays::close(turn::RelayId relay) {
    auto closed = relays_.extract(relay);
    // Not here: this may be its callback.
    if (closed) loop_.post([gone = std::move(closed.mapped().listener)] {});
}

void TcpRelays::accept(turn::RelayId relay, std::unique_ptr<drivers::TcpStream> stream) {
    const SocketAddress peer =
        directory_.external_of(stream->peer_address(), turn::RelayProtocol::Tcp);
    const auto connection = service_.handle_peer_accepted(loop_.now(), relay, peer);
    if (connection) {
        wait_for_client(*connection, *stream);
        connections_[*connection].peer = std::move(stream);
    }
    changed_();
}

// What the peer sends waits in the kernel until the client is there.
void TcpRelays::wait_for_client(turn::ConnectionId connection, drivers::Stream& peer) {
    peer.set_reading(drivers::Reading::Paused);
    peer.set_handlers(
        {.on_open = [this, connection] { opened(connection); },
         .on_bytes = {},
         .on_end = [] {},
         .on_writable = {},
         .on_closed = [this, connection](drivers::Closed why) { lost(connection, why.reason); }});
}

void TcpRelays::connect(const turn::ConnectionWanted& wanted) {
    const auto relay = relays_.find(wanted.relay);
    if (relay == relays_.end()) {
        return service_.handle_connection_failed(loop_.now(), wanted.connection,
                                                 turn::ConnectionFailure::NoSocket);
    }
    auto stream = drivers::TcpStream::connect(loop_, directory_.local_of(wanted.peer),
                                              {.connect_timeout = turn::connect_time,
                                               .most_buffered = most_buffered_of_relay,
                                               .local = relay->second.local});
    wait_for_client(wanted.connection, *stream);
    connecting_[wanted.connection] = true;
    connections_[wanted.connection].peer = std::move(stream);
}

void TcpRelays::opened(turn::ConnectionId connection) {
    if (connecting_.erase(connection) == 0) return;
    service_.handle_connection_opened(loop_.now(), connection);
    changed_();
}

void TcpRelays::lost(turn::ConnectionId connection, CloseReason reason) {
    auto found = connections_.extract(connection);
    if (!found) return;
    retire(std::move(found.mapped()));
    if (connecting_.erase(connection) != 0) {
        service_.handle_connection_failed(loop_.now(), connection, failure_of(reason));
    } else {
        service_.handle_connection_gone(loop_.now(), connection);
    }
    changed_();
}

void TcpRelays::join(turn::ConnectionId connection, std::unique_ptr<drivers::Stream> client,
                     BytesView early) {
    const auto found = connections_.find(connection);
    if (found == connections_.end() || !found->second.peer || !client) return;
    found->second.splice = std::make_unique<Splice>(
        loop_, std::move(client), std::move(found->second.peer), early,
        Splice::Handlers{
            .on_traffic =
                [this, connection](const turn::Traffic& passed) {
                    return service_.handle_spliced(loop_.now(), connection, passed) ==
                                   turn::Server::Budget::Spent
                               ? Splice::Budget::Spent
                               : Splice::Budget::Within;
                },
            .on_ended = [this, connection] { lost(connection, CloseReason::PeerClosed); }});
}

void TcpRelays::close(turn::ConnectionId connection) {
    connecting_.erase(connection);
    if (auto found = connections_.extract(connection)) {
        if (found.mapped().splice) found.mapped().splice->close();
        retire(std::move(found.mapped()));
    }
}

// Its last octets may still be on their way; and this may be one of its callbacks.
void TcpRelays::retire(Connection connection) {
    if (!connection.splice) {
        return loop_.post([gone = std::move(connection.peer)] {});
    }
    Splice* const raw = connection.splice.get();
    ending_.emplace(raw, std::move(connection.splice));
    raw->on_finished([this, raw] {
        if (auto finished = ending_.extract(raw)) {
            loop_.post([gone = std::move(finished.mapped())] {});
        }
    });
}

}  // namespace stile::relay
