// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_relays.hpp"

#include "replay_stream.hpp"

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
        loop_, local, accepting(relay),
        {.reuse_port = drivers::ListenOptions::ReusePort::Yes,
         .backlog = 64,
         .accepted = {.most_buffered = most_buffered_of_relay, .local = {}}});
    if (!listener) return false;
    relays_[relay] = {.local = local, .listener = *std::move(listener)};
    return true;
}

drivers::TcpListener::OnAccept TcpRelays::accepting(turn::RelayId relay) {
    return [this, relay](std::unique_ptr<drivers::TcpStream> stream) {
        accept(relay, std::move(stream));
    };
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
    splice(connection, std::move(client), early);
}

void TcpRelays::splice(turn::ConnectionId connection, std::unique_ptr<drivers::Stream> client,
                       BytesView early) {
    Connection& joined = connections_.at(connection);
    joined.splice = std::make_unique<Splice>(
        loop_, std::move(client), std::move(joined.peer), early,
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

void TcpRelays::settle() {
    const auto connecting = connecting_;
    for (const auto& [connection, unused] : connecting) lost(connection, CloseReason::TimedOut);
    std::vector<Splice*> splices;
    for (const auto& [id, connection] : connections_) {
        if (connection.splice) splices.push_back(connection.splice.get());
    }
    for (Splice* const splice : splices) splice->account();
}

std::optional<HandedRelay> TcpRelays::copy(turn::RelayId relay) const {
    const auto found = relays_.find(relay);
    if (found == relays_.end()) return std::nullopt;
    return HandedRelay{.tenant = 0,
                       .relay = relay,
                       .address = found->second.local,
                       .socket = found->second.listener->duplicate()};
}

std::optional<HandedConnection> TcpRelays::copy(turn::ConnectionId connection) const {
    const auto found = connections_.find(connection);
    if (found == connections_.end()) return std::nullopt;
    HandedConnection handed{.tenant = 0, .connection = connection, .peer = {}, .client = {}};
    if (found->second.splice) {
        auto both = found->second.splice->copy();
        if (!both) return std::nullopt;
        handed.peer = std::move(both->peer);
        handed.client = std::move(both->client);
        return handed;
    }
    const drivers::TcpStream* const peer = plain_tcp(*found->second.peer);
    if (peer != nullptr) handed.peer = peer->duplicate();
    if (!handed.peer.socket.valid()) return std::nullopt;
    return handed;
}

void TcpRelays::let_go(turn::RelayId relay) {
    auto gone = relays_.extract(relay);
    if (gone) (void)gone.mapped().listener->release();
}

void TcpRelays::let_go(turn::ConnectionId connection) {
    const auto gone = connections_.extract(connection);
    if (!gone) return;
    if (gone.mapped().splice) {
        gone.mapped().splice->let_go();
    } else if (drivers::TcpStream* const peer = plain_tcp(*gone.mapped().peer)) {
        (void)peer->release();
    }
}

void TcpRelays::resume(HandedRelay handed) {
    relays_[handed.relay] = {.local = handed.address,
                             .listener = drivers::TcpListener::adopt(
                                 loop_, std::move(handed.socket), accepting(handed.relay),
                                 {.most_buffered = most_buffered_of_relay, .local = {}})};
}

void TcpRelays::resume(HandedConnection handed) {
    const auto stream_of = [this](drivers::TcpStream::Released from, std::size_t most_buffered) {
        auto stream = drivers::TcpStream::adopt(loop_, std::move(from.socket),
                                                {.most_buffered = most_buffered, .local = {}});
        if (!from.unsent.empty()) (void)stream->write(from.unsent);
        return stream;
    };
    auto peer = stream_of(std::move(handed.peer), most_buffered_of_relay);
    if (!handed.client) wait_for_client(handed.connection, *peer);
    connections_[handed.connection].peer = std::move(peer);
    if (!handed.client) return;
    splice(handed.connection, stream_of(std::move(*handed.client), drivers::most_buffered_octets),
           {});
}

}  // namespace stile::relay
