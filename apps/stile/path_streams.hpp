// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialer.hpp"

#include <stile/connect/stream.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/ice/connection.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::peer {

// The TCP connections of one session's path: it listens beside the path's UDP sockets, opens what
// the path wants, some of it from the ports that it listens at, and writes what fits.
class PathStreams {
public:
    struct Handlers {
        std::move_only_function<void(connect::StreamId, const Path&)> on_opened;
        std::move_only_function<void(connect::StreamId, ice::ConnectFailure,
                                     const drivers::Closed&)>
            on_failed;
        // The session's name for a connection that a peer opened; none: it is closed.
        std::move_only_function<std::optional<connect::StreamId>(const Path&)> on_accepted;
        std::move_only_function<void(connect::StreamId, BytesView)> on_bytes;
        std::move_only_function<void(connect::StreamId)> on_closed;
    };
    PathStreams(drivers::Loop& loop, Dialer& dialer, Handlers handlers);
    PathStreams(const PathStreams&) = delete;
    PathStreams& operator=(const PathStreams&) = delete;
    ~PathStreams();

    // At two free ports of the host's address: for the passive and the simultaneous-open candidate.
    // Appended to `listeners`, as far as it works.
    void listen(const SocketAddress& beside, std::vector<connect::Listener>& listeners);
    std::vector<SocketAddress> listening_at() const;

    // The host's addresses are these now. Connections from others end at once, as do listeners
    // there: which, the result says.
    std::vector<connect::Listener> follow_addresses(const std::vector<IpAddress>& addresses);

    // A server is dialled, maybe through a proxy; a peer is not.
    enum class Toward : std::uint8_t { Server, Peer };
    struct Authority {
        std::string ca_pem;  // empty: the system's authorities
    };
    void open(const connect::StreamWanted& wanted, Toward toward, const Authority& authority);
    void close(connect::StreamId stream);
    // All or nothing; what a slow connection has no room for is lost.
    void send(connect::StreamId stream, BytesView octets);

private:
    struct Held {
        std::unique_ptr<drivers::Stream> stream;  // none while a name is looked up
        SocketAddress remote;                     // as the path knows it
        enum class State : std::uint8_t { Opening, Open } state = State::Opening;
    };
    struct Alive {};

    std::optional<SocketAddress> listen_at(const SocketAddress& address, ice::TcpType type);

    void accept(std::unique_ptr<drivers::TcpStream> stream);
    void begin(connect::StreamId id, std::unique_ptr<drivers::Stream> stream);
    void opened(connect::StreamId id);
    void ended(connect::StreamId id, const drivers::Closed& closed);

    drivers::Loop& loop_;
    Dialer& dialer_;
    Handlers handlers_;
    struct Listening {
        std::unique_ptr<drivers::TcpListener> listener;
        ice::TcpType type;
    };
    std::vector<Listening> listeners_;
    std::map<connect::StreamId, Held> streams_;
    // Unwanted, while the last octets leave.
    std::map<connect::StreamId, std::unique_ptr<drivers::Stream>> closing_;
    std::shared_ptr<Alive> alive_ = std::make_shared<Alive>();  // for answers that come later
};

}  // namespace stile::peer
