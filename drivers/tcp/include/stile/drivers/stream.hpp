// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace stile::drivers {

enum class CloseReason : std::uint8_t {
    Local,           // close() here, and all that was written has been handed over
    PeerClosed,      // the orderly end of the peer's bytes
    Truncated,       // TLS: the connection ended without the peer's close_notify
    Reset,           // the connection was reset or broke
    Refused,         // nothing listens there
    Unreachable,     // no route, no address of that family
    TimedOut,        // no connection, no handshake or no acknowledgement in time
    Untrusted,       // TLS: the peer's certificate leads to no trusted authority
    Expired,         // TLS: a certificate of the peer is not valid now
    WrongName,       // TLS: the certificate is for another name
    RejectedByPeer,  // TLS: the peer sent an alert, for example because it wants a certificate
    Protocol,        // TLS: what came is not TLS, or breaks it
    Proxy,           // the HTTP proxy on the way does not connect; the text says why
    Failed,          // anything else; the text says what
};

struct Closed {
    CloseReason reason = CloseReason::Failed;
    std::string text;  // for a person: what happened, with whom
};

std::string_view to_string(CloseReason reason);

enum class Written : std::uint8_t {
    Queued,  // all of it
    Full,    // nothing: it would exceed the queue's limit; wait for on_writable
    Closed,  // nothing: the stream is or is about to be closed
};

enum class Reading : std::uint8_t { Flowing, Paused };

// Callbacks of a stream. Each may destroy the stream or replace its callbacks. None runs inside a
// call on the stream. Bytes are valid during the callback.
struct StreamHandlers {
    std::move_only_function<void()> on_open;            // connected, and TLS's handshake is done
    std::move_only_function<void(BytesView)> on_bytes;  // never empty
    // The peer sends no more, this side still may. Without this callback the stream closes itself,
    // with PeerClosed, when what was written has left.
    std::move_only_function<void()> on_end;
    std::move_only_function<void()>
        on_writable;  // the queue, once above the low-water mark, is not
    std::move_only_function<void(Closed)> on_closed;  // at most once, the last
};

// A reliable connection of bytes: TCP, or TLS on it. Destroying it ends the connection at once,
// with a reset unless it was closed and all has left, and without a callback.
class Stream {
public:
    virtual ~Stream() = default;

    virtual void set_handlers(StreamHandlers handlers) = 0;

    // All or nothing. Before on_open it is kept until then.
    virtual Written write(BytesView bytes) = 0;
    virtual std::size_t buffered() const = 0;  // octets written and not yet taken by the kernel
    // Ends this side's bytes after what was written; reading goes on.
    virtual void finish() = 0;
    // As finish(), then the end: what still comes is discarded. on_closed follows.
    virtual void close() = 0;
    // Back pressure: while paused the kernel's buffers fill and the peer has to wait.
    virtual void set_reading(Reading reading) = 0;

    virtual SocketAddress local_address() const = 0;
    virtual SocketAddress peer_address() const = 0;
};

}  // namespace stile::drivers
