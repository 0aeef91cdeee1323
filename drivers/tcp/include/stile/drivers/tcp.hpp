// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/os_error.hpp>
#include <stile/drivers/stream.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <optional>

namespace stile::drivers {

// Octets that a stream keeps for a slow peer unless its owner says otherwise.
inline constexpr std::size_t most_buffered_octets = 4'194'304;
// on_writable comes when the queue has drained to this.
inline constexpr std::size_t low_water_octets = 262'144;
// How long close() waits for the peer's end, so that a reset does not overtake the last bytes.
inline constexpr Duration linger_time = std::chrono::seconds{2};

struct TcpOptions {
    Duration connect_timeout = std::chrono::seconds{10};
    // Unacknowledged data for this long ends the connection (TCP_USER_TIMEOUT, RFC 5482).
    Duration user_timeout = std::chrono::seconds{60};
    std::size_t most_buffered = most_buffered_octets;
    // Octets that the kernel keeps unsent (TCP_NOTSENT_LOWAT): few for what is better lost than
    // late. Absent: what the system chooses, often megabytes.
    std::optional<std::uint32_t> most_unsent;
    // Bind to it first; port 0 is any. Connections to several peers may share it, and a listener
    // with ReusePort::Yes. An address that is not free then is CloseReason::Failed.
    std::optional<SocketAddress> local;
};

// TCP_NODELAY is set: what is written leaves.
class TcpStream final : public Stream {
public:
    // Never fails at once: a refusal comes by on_closed.
    static std::unique_ptr<TcpStream> connect(Loop& loop, SocketAddress peer,
                                              const TcpOptions& options = {});
    // Takes over a connected stream socket.
    static std::unique_ptr<TcpStream> adopt(Loop& loop, FileDescriptor fd,
                                            const TcpOptions& options = {});
    ~TcpStream() override;

    // The socket for another loop or another process; what was written and has not left is lost
    // unless it is written there. Nothing more is called back; what follows is as on a closed
    // stream. Empty where it is not connected any more.
    struct Released {
        FileDescriptor socket;
        Bytes unsent;
    };
    Released release();
    // The same, while this stream keeps its own: who gets it must not use it before this one is
    // released, and this one must not read or write in between. Empty also where no number is left.
    [[nodiscard]] Released duplicate() const;

    void set_handlers(StreamHandlers handlers) override;
    Written write(BytesView bytes) override;
    std::size_t buffered() const override;
    void finish() override;
    void close() override;
    void set_reading(Reading reading) override;
    SocketAddress local_address() const override;
    SocketAddress peer_address() const override;

private:
    struct Impl;
    explicit TcpStream(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

struct ListenOptions {
    enum class ReusePort : std::uint8_t { No, Yes };
    ReusePort reuse_port = ReusePort::No;
    int backlog = 511;
    TcpOptions accepted;  // of the accepted streams
};

class TcpListener {
public:
    using OnAccept = std::move_only_function<void(std::unique_ptr<TcpStream>)>;

    // Port 0 chooses a free one. IPv6 listeners take no IPv4.
    static std::expected<std::unique_ptr<TcpListener>, OsError> open(
        Loop& loop, SocketAddress local, OnAccept on_accept, const ListenOptions& options = {});
    // Takes over a listening socket.
    static std::unique_ptr<TcpListener> adopt(Loop& loop, FileDescriptor socket, OnAccept on_accept,
                                              const TcpOptions& accepted = {});
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;
    ~TcpListener();

    SocketAddress local_address() const;
    // The socket goes on elsewhere; connections that wait to be accepted go with it.
    FileDescriptor release();
    [[nodiscard]] FileDescriptor duplicate() const;

private:
    struct Impl;
    explicit TcpListener(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
