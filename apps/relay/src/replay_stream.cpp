// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "replay_stream.hpp"

#include <utility>

namespace stile::relay {

using drivers::Reading;

ReplayStream::ReplayStream(drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream,
                           Bytes first, std::optional<Path> addresses)
    : loop_(loop), stream_(std::move(stream)), first_(std::move(first)), addresses_(addresses) {
    stream_->set_handlers({});
    if (!first_.empty()) stream_->set_reading(Reading::Paused);
}

ReplayStream::~ReplayStream() = default;

void ReplayStream::set_handlers(drivers::StreamHandlers handlers) {
    handlers_ = std::move(handlers);
    ++installed_;
    if (first_.empty()) return install();
    if (std::exchange(scheduled_, true)) return;
    loop_.post([this, weak = std::weak_ptr{alive_}] {
        if (weak.lock()) replay();
    });
}

// Before this the connection is paused, and an end of it is found by the first that tries.
void ReplayStream::replay() {
    const Bytes first = std::exchange(first_, {});
    const std::weak_ptr weak{alive_};
    auto handlers = std::exchange(handlers_, {});
    const unsigned before = installed_;
    if (handlers.on_bytes) handlers.on_bytes(first);
    if (!weak.lock()) return;
    if (installed_ == before) {  // otherwise the callback has replaced them
        handlers_ = std::move(handlers);
        install();
    }
    stream_->set_reading(reading_);
}

void ReplayStream::install() { stream_->set_handlers(std::exchange(handlers_, {})); }

void ReplayStream::set_reading(Reading reading) {
    reading_ = reading;
    if (first_.empty()) stream_->set_reading(reading);
}

SocketAddress ReplayStream::local_address() const {
    return addresses_ ? addresses_->local : stream_->local_address();
}

SocketAddress ReplayStream::peer_address() const {
    return addresses_ ? addresses_->remote : stream_->peer_address();
}

const drivers::TcpStream* plain_tcp(const drivers::Stream& stream) {
    if (const auto* const replaying = dynamic_cast<const ReplayStream*>(&stream)) {
        return plain_tcp(replaying->inner());
    }
    return dynamic_cast<const drivers::TcpStream*>(&stream);
}

drivers::TcpStream* plain_tcp(drivers::Stream& stream) {
    return const_cast<drivers::TcpStream*>(plain_tcp(std::as_const(stream)));
}

BytesView waiting_in(const drivers::Stream& stream) {
    const auto* const replaying = dynamic_cast<const ReplayStream*>(&stream);
    return replaying == nullptr ? BytesView{} : replaying->waiting();
}

}  // namespace stile::relay
