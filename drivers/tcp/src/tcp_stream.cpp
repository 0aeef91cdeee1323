// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tcp_stream_impl.hpp"

#include <stile/drivers/native_address.hpp>

#include <utility>

namespace stile::drivers {
TcpStream::TcpStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

TcpStream::~TcpStream() {
    impl_->dead = true;
    impl_->timer.disarm();
    impl_->watch.reset();
    const bool orderly = impl_->state == Impl::State::Lingering && impl_->queue.empty();
    if (impl_->fd.valid() && !orderly) {
        // A reset: the peer must not take what it got for the whole, and the kernel frees its
        // buffers.
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(impl_->fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    impl_->fd.reset();
}

std::unique_ptr<TcpStream> TcpStream::connect(Loop& loop, SocketAddress peer,
                                              const TcpOptions& options) {
    auto impl = std::make_shared<Impl>(loop, options);
    impl->peer = peer;
    impl->start_connecting();
    return std::unique_ptr<TcpStream>(new TcpStream(std::move(impl)));
}

std::unique_ptr<TcpStream> TcpStream::adopt(Loop& loop, FileDescriptor fd,
                                            const TcpOptions& options) {
    auto impl = std::make_shared<Impl>(loop, options);
    NativeAddress native;
    ::getpeername(fd.get(), native.get(), &native.size);
    impl->peer = from_native(native.storage);
    impl->local = bound_address(fd.get());
    impl->state = Impl::State::Open;
    impl->take(std::move(fd));
    // The owner first installs its handlers.
    loop.post([weak = std::weak_ptr{impl}] {
        const auto self = weak.lock();
        if (!self || self->dead || self->state != Impl::State::Open) return;
        self->opened();
    });
    return std::unique_ptr<TcpStream>(new TcpStream(std::move(impl)));
}

TcpStream::Released TcpStream::release() {
    Released released;
    if (impl_->state != Impl::State::Open || impl_->ending) return released;
    impl_->state = Impl::State::Closed;
    impl_->timer.disarm();
    impl_->watch.reset();
    released.unsent = to_bytes(impl_->queue.front());
    released.socket = std::move(impl_->fd);
    return released;
}

TcpStream::Released TcpStream::duplicate() const {
    if (impl_->state != Impl::State::Open || impl_->ending) return {};
    return {.socket = impl_->fd.duplicate(), .unsent = to_bytes(impl_->queue.front())};
}

void TcpStream::set_handlers(StreamHandlers handlers) {
    impl_->handlers = std::make_shared<StreamHandlers>(std::move(handlers));
}

Written TcpStream::write(BytesView bytes) {
    using State = Impl::State;
    const bool accepts = impl_->state == State::Connecting || impl_->state == State::Open;
    if (!accepts || impl_->fin_wanted || impl_->ending) return Written::Closed;
    if (bytes.empty()) return Written::Queued;
    if (impl_->queue.size() + bytes.size() > impl_->options.most_buffered) return Written::Full;
    std::size_t sent = 0;
    if (impl_->state == State::Open && impl_->queue.empty()) {
        const ssize_t count =
            ::send(impl_->fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && !would_block(errno)) {
            const int code = errno;
            impl_->end_later(reason_of(code),
                             os_error("connection with " + impl_->peer.to_string(), code).text);
            return Written::Closed;
        }
        if (count > 0) sent = static_cast<std::size_t>(count);
    }
    if (sent < bytes.size()) {
        impl_->queue.append(bytes.subspan(sent));
        if (impl_->queue.size() > low_water_octets) impl_->above_low_water = true;
        impl_->update_watch();
    }
    return Written::Queued;
}

std::size_t TcpStream::buffered() const { return impl_->queue.size(); }

void TcpStream::finish() {
    if (impl_->fin_wanted || impl_->state == Impl::State::Closed) return;
    impl_->fin_wanted = true;
    if (impl_->state == Impl::State::Connecting) return;
    // A flush from here could call on_writable: the watch does it from the loop.
    impl_->update_watch();
}

void TcpStream::close() {
    using State = Impl::State;
    switch (impl_->state) {
        case State::Connecting:
            impl_->end_later(CloseReason::Local, "closed");
            return;
        case State::Open:
            impl_->state = State::Lingering;
            impl_->fin_wanted = true;
            impl_->timer.arm_after(impl_->queue.empty() ? linger_time
                                                        : impl_->options.user_timeout);
            if (impl_->both_ends_done()) return impl_->end_later(CloseReason::Local, "closed");
            impl_->update_watch();
            return;
        case State::Lingering:
        case State::Closed:
            return;
    }
}

void TcpStream::set_reading(Reading reading) {
    if (std::exchange(impl_->reading, reading) == reading) return;
    impl_->update_watch();
}

SocketAddress TcpStream::local_address() const { return impl_->local; }
SocketAddress TcpStream::peer_address() const { return impl_->peer; }

}  // namespace stile::drivers
