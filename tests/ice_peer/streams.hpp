// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/stream.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/ice/connection.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace stile::ice_peer {

// The TCP connections of one Connector, without TLS and proxies.
class Streams {
public:
    struct Handlers {
        std::move_only_function<void(connect::StreamId, const Path&)> on_opened;
        std::move_only_function<void(connect::StreamId, ice::ConnectFailure)> on_failed;
        std::move_only_function<std::optional<connect::StreamId>(const Path&)> on_accepted;
        std::move_only_function<void(connect::StreamId, BytesView)> on_bytes;
        std::move_only_function<void(connect::StreamId)> on_closed;
    };
    Streams(drivers::Loop& loop, Handlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}

    // At any port of the address; empty where that does not work.
    std::optional<connect::Listener> listen(const IpAddress& address, ice::TcpType type);
    void open(const connect::StreamWanted& wanted);
    void close(connect::StreamId stream);
    void write(connect::StreamId stream, BytesView octets);

private:
    struct Held {
        std::unique_ptr<drivers::TcpStream> stream;
        enum class State : std::uint8_t { Opening, Open } state = State::Opening;
    };
    void begin(connect::StreamId id, std::unique_ptr<drivers::TcpStream> stream, Held::State state);
    void accept(std::unique_ptr<drivers::TcpStream> stream);
    void ended(connect::StreamId id, const drivers::Closed& closed);

    drivers::Loop& loop_;
    Handlers handlers_;
    std::vector<std::unique_ptr<drivers::TcpListener>> listeners_;
    std::map<connect::StreamId, Held> streams_;
    std::map<connect::StreamId, std::unique_ptr<drivers::TcpStream>> closing_;
};

}  // namespace stile::ice_peer
