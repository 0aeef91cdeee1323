// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_stream_impl.hpp"

#include <stile/drivers/native_address.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <array>
#include <utility>

namespace stile::drivers {
namespace {

constexpr std::size_t octets_a_read = 65'536;
// Reads of one wake-up, so that one fast peer cannot starve the others.
constexpr int most_reads_a_wakeup = 4;

}  // namespace

CloseReason reason_of(int code) {
    switch (code) {
        case ECONNREFUSED:
            return CloseReason::Refused;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case EAFNOSUPPORT:
        case EADDRNOTAVAIL:
            return CloseReason::Unreachable;
        case ETIMEDOUT:
            return CloseReason::TimedOut;
        case ECONNRESET:
        case EPIPE:
        case ECONNABORTED:
            return CloseReason::Reset;
        default:
            return CloseReason::Failed;
    }
}

bool would_block(int code) { return code == EAGAIN || code == EWOULDBLOCK || code == EINTR; }

void TcpStream::Impl::take(FileDescriptor socket) {
    fd = std::move(socket);
    const auto set = [this](int level, int name, int value) {
        ::setsockopt(fd.get(), level, name, &value, sizeof value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT,
        static_cast<int>(
            std::chrono::duration_cast<std::chrono::milliseconds>(options.user_timeout).count()));
    if (options.most_unsent) {
        set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(*options.most_unsent));
    }
    watch.emplace(loop, fd.get(), [this] { readable(); }, [this] { writable(); });
}

void TcpStream::Impl::start_connecting() {
    FileDescriptor socket{::socket(peer.ip.is_v4() ? AF_INET : AF_INET6,
                                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.valid()) return fail(errno);
    take(std::move(socket));
    if (options.local) {
        // Connections to several peers may share a local port: RFC 6062 Section 5.2, RFC 5780.
        const int yes = 1;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        // Where someone listens at the address, too.
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
        const NativeAddress native = to_native(*options.local);
        if (::bind(fd.get(), native.get(), native.size) != 0) return fail(errno);
    }
    const NativeAddress native = to_native(peer);
    if (::connect(fd.get(), native.get(), native.size) != 0 && errno != EINPROGRESS) {
        return fail(errno);
    }
    local = bound_address(fd.get());
    timer.arm_after(options.connect_timeout);
    update_watch();
}

void TcpStream::Impl::update_watch() {
    if (!watch || ending) return;
    using enum Watch::Wanted;
    const bool reads = (state == State::Open && reading == Reading::Flowing && !peer_ended) ||
                       (state == State::Lingering && !peer_ended);
    const bool writes = state == State::Connecting || !queue.empty() || (fin_wanted && !fin_sent);
    watch->want_readable(reads ? Yes : No);
    watch->want_writable(writes ? Yes : No);
}

void TcpStream::Impl::writable() {
    const auto self = shared_from_this();
    if (state == State::Connecting) {
        int code = 0;
        socklen_t size = sizeof code;
        ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &code, &size);
        if (code != 0)
            return end(reason_of(code), os_error("connect to " + peer.to_string(), code).text);
        opened();
        if (dead || state != State::Open) return;
    }
    flush();
}

void TcpStream::Impl::opened() {
    state = State::Open;
    timer.disarm();
    local = bound_address(fd.get());
    update_watch();
    const auto current = handlers;
    if (current->on_open) current->on_open();
}

void TcpStream::Impl::readable() {
    const auto self = shared_from_this();
    std::array<std::byte, octets_a_read> buffer;  // filled before it is read
    for (int i = 0; i < most_reads_a_wakeup; ++i) {
        const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count < 0) {
            const int code = errno;
            if (would_block(code)) return;
            // Nothing more can come; a peer that resets after our last byte has the whole of it.
            if (state == State::Lingering && queue.empty()) return end(linger_reason, "closed");
            return end(reason_of(code), os_error("connection with " + peer.to_string(), code).text);
        }
        if (count == 0) return ended_by_peer();
        if (state == State::Open) {
            const auto current = handlers;
            if (current->on_bytes) {
                current->on_bytes(BytesView{buffer}.first(static_cast<std::size_t>(count)));
            }
            if (dead || state == State::Closed) return;
            if (state == State::Open && reading == Reading::Paused) return;
        }
        if (static_cast<std::size_t>(count) < buffer.size()) return;
    }
}

void TcpStream::Impl::ended_by_peer() {
    peer_ended = true;
    if (state == State::Lingering) {
        if (fin_sent) return end(linger_reason, "closed");
        return update_watch();
    }
    const auto current = handlers;
    if (current->on_end) {
        update_watch();
        current->on_end();
        if (!dead && state == State::Open && both_ends_done()) {
            end(CloseReason::PeerClosed, peer.to_string() + " closed the connection");
        }
        return;
    }
    linger_reason = CloseReason::PeerClosed;
    state = State::Lingering;
    fin_wanted = true;
    flush();
}

void TcpStream::Impl::flush() {
    while (!queue.empty()) {
        const BytesView front = queue.front();
        const ssize_t count =
            ::send(fd.get(), front.data(), front.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0) {
            const int code = errno;
            if (would_block(code)) break;
            return end_later(reason_of(code),
                             os_error("connection with " + peer.to_string(), code).text);
        }
        queue.consume(static_cast<std::size_t>(count));
    }
    if (queue.empty() && fin_wanted && !fin_sent) {
        ::shutdown(fd.get(), SHUT_WR);
        fin_sent = true;
    }
    if (both_ends_done()) {
        return end_later(state == State::Lingering ? linger_reason : CloseReason::PeerClosed,
                         "closed");
    }
    // A slow peer may take what is left as slowly as it likes, but must take some.
    if (state == State::Lingering) {
        timer.arm_after(queue.empty() ? linger_time : options.user_timeout);
    }
    update_watch();
    if (above_low_water && queue.size() <= low_water_octets) {
        above_low_water = false;
        const auto current = handlers;
        if (state == State::Open && current->on_writable) current->on_writable();
    }
}

void TcpStream::Impl::timed_out() {
    const auto self = shared_from_this();
    if (state == State::Connecting) {
        return end(CloseReason::TimedOut, "connect to " + peer.to_string() + ": no answer");
    }
    if (state == State::Lingering) {
        if (queue.empty()) return end(linger_reason, "closed");
        end(CloseReason::TimedOut, peer.to_string() + " does not take what is left to send");
    }
}

void TcpStream::Impl::fail(int code) {
    // Of an address that was asked for it says that it is taken, or gone; nothing of the peer.
    const bool local_is_at_fault = code == EADDRNOTAVAIL && options.local;
    end_later(local_is_at_fault ? CloseReason::Failed : reason_of(code),
              os_error("connect to " + peer.to_string(), code).text);
}

// Within calls of the owner the callback must not run: it comes from the loop.
void TcpStream::Impl::end_later(CloseReason reason, std::string text) {
    if (ending) return;
    ending = true;
    timer.disarm();
    if (watch) {
        watch->want_readable(Watch::Wanted::No);
        watch->want_writable(Watch::Wanted::No);
    }
    loop.post([weak = weak_from_this(), reason, text = std::move(text)]() mutable {
        if (const auto self = weak.lock()) self->end(reason, std::move(text));
    });
}

void TcpStream::Impl::end(CloseReason reason, std::string text) {
    if (dead || state == State::Closed) return;
    state = State::Closed;
    timer.disarm();
    watch.reset();
    fd.reset();
    const auto current = handlers;
    if (current->on_closed) current->on_closed({reason, std::move(text)});
}

}  // namespace stile::drivers
