// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "send_queue.hpp"

#include <stile/drivers/tcp.hpp>

#include <memory>
#include <optional>
#include <string>

namespace stile::drivers {

// What the system's error numbers mean for a connection.
CloseReason reason_of(int code);
bool would_block(int code);

struct TcpStream::Impl : std::enable_shared_from_this<TcpStream::Impl> {
    enum class State : std::uint8_t {
        Connecting,
        Open,
        Lingering,  // close() was called: sends what is queued, discards what comes
        Closed,
    };

    Impl(Loop& owner, const TcpOptions& wanted)
        : loop(owner), options(wanted), timer(owner, [this] { timed_out(); }) {}

    void take(FileDescriptor socket);
    void start_connecting();
    void opened();
    void readable();
    void writable();
    void ended_by_peer();
    void flush();
    void timed_out();
    void fail(int code);
    void end(CloseReason reason, std::string text);
    void end_later(CloseReason reason, std::string text);
    void update_watch();
    bool both_ends_done() const { return peer_ended && fin_sent; }

    Loop& loop;
    TcpOptions options;
    State state = State::Connecting;
    FileDescriptor fd;
    SocketAddress local;
    SocketAddress peer;
    std::shared_ptr<StreamHandlers> handlers = std::make_shared<StreamHandlers>();
    SendQueue queue;
    Reading reading = Reading::Flowing;
    bool above_low_water = false;
    bool fin_wanted = false;
    bool fin_sent = false;
    bool peer_ended = false;
    bool ending = false;  // end_later() is under way
    bool dead = false;    // the owner is gone
    CloseReason linger_reason = CloseReason::Local;
    Timer timer;  // to connect; later to linger
    std::optional<Watch> watch;
};

}  // namespace stile::drivers
