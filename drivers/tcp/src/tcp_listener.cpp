// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/tcp.hpp>

#include <stile/drivers/native_address.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

namespace stile::drivers {
namespace {

// Accepts of one wake-up.
constexpr int most_accepts_a_wakeup = 16;
// With no descriptor left, waiting for one to be closed beats a loop that spins.
constexpr Duration exhausted_pause = std::chrono::milliseconds{100};

}  // namespace

struct TcpListener::Impl : std::enable_shared_from_this<TcpListener::Impl> {
    Impl(Loop& owner, FileDescriptor socket, OnAccept callback, const TcpOptions& options)
        : loop(owner),
          fd(std::move(socket)),
          on_accept(std::move(callback)),
          accepted(options),
          pause(owner, [this] { watch.want_readable(Watch::Wanted::Yes); }),
          watch(owner, fd.get(), [this] { accept(); }) {
        watch.want_readable(Watch::Wanted::Yes);
    }

    void accept() {
        const auto self = shared_from_this();
        for (int i = 0; i < most_accepts_a_wakeup && !dead; ++i) {
            FileDescriptor socket{
                ::accept4(fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
            if (socket.valid()) {
                on_accept(TcpStream::adopt(loop, std::move(socket), accepted));
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                watch.want_readable(Watch::Wanted::No);
                pause.arm_after(exhausted_pause);
                return;
            }
            // Anything else is a connection that went before it was taken: accept(2).
            if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        }
    }

    Loop& loop;
    FileDescriptor fd;
    OnAccept on_accept;
    TcpOptions accepted;
    bool dead = false;
    Timer pause;
    Watch watch;
};

TcpListener::TcpListener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

TcpListener::~TcpListener() {
    impl_->dead = true;
    impl_->watch.want_readable(Watch::Wanted::No);
    impl_->pause.disarm();
}

std::expected<std::unique_ptr<TcpListener>, OsError> TcpListener::open(
    Loop& loop, SocketAddress local, OnAccept on_accept, const ListenOptions& options) {
    const bool v4 = local.ip.is_v4();
    const std::string name = "TCP listener on " + local.to_string();
    FileDescriptor fd{
        ::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd.valid()) return std::unexpected(os_error(name));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!v4) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (options.reuse_port == ListenOptions::ReusePort::Yes &&
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return std::unexpected(os_error(name + ", SO_REUSEPORT"));
    }
    const NativeAddress native = to_native(local);
    if (::bind(fd.get(), native.get(), native.size) != 0 ||
        ::listen(fd.get(), options.backlog) != 0) {
        return std::unexpected(os_error("bind " + name));
    }
    return std::unique_ptr<TcpListener>(new TcpListener(
        std::make_shared<Impl>(loop, std::move(fd), std::move(on_accept), options.accepted)));
}

std::unique_ptr<TcpListener> TcpListener::adopt(Loop& loop, FileDescriptor socket,
                                                OnAccept on_accept, const TcpOptions& accepted) {
    return std::unique_ptr<TcpListener>(new TcpListener(
        std::make_shared<Impl>(loop, std::move(socket), std::move(on_accept), accepted)));
}

FileDescriptor TcpListener::release() {
    impl_->dead = true;
    impl_->watch.want_readable(Watch::Wanted::No);
    impl_->pause.disarm();
    return std::move(impl_->fd);
}

FileDescriptor TcpListener::duplicate() const { return impl_->fd.duplicate(); }

SocketAddress TcpListener::local_address() const { return bound_address(impl_->fd.get()); }

}  // namespace stile::drivers
