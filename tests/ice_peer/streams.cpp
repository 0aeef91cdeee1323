// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "streams.hpp"

#include <utility>

namespace stile::ice_peer {

std::optional<connect::Listener> Streams::listen(const IpAddress& address, ice::TcpType type) {
    const bool opens_too = type == ice::TcpType::SimultaneousOpen;
    auto listener = drivers::TcpListener::open(
        loop_, {address, Port{0}}, [this](auto stream) { accept(std::move(stream)); },
        {.reuse_port = opens_too ? drivers::ListenOptions::ReusePort::Yes
                                 : drivers::ListenOptions::ReusePort::No});
    if (!listener) return std::nullopt;
    const SocketAddress at = (*listener)->local_address();
    listeners_.push_back(*std::move(listener));
    return connect::Listener{at, type};
}

void Streams::open(const connect::StreamWanted& wanted) {
    SocketAddress local = wanted.path.local;
    if (wanted.local_port == connect::StreamWanted::LocalPort::Any) local.port = Port{0};
    begin(wanted.stream, drivers::TcpStream::connect(loop_, wanted.path.remote, {.local = local}),
          Held::State::Opening);
}

void Streams::accept(std::unique_ptr<drivers::TcpStream> stream) {
    const auto id = handlers_.on_accepted({stream->local_address(), stream->peer_address()});
    if (id) begin(*id, std::move(stream), Held::State::Open);
}

void Streams::begin(connect::StreamId id, std::unique_ptr<drivers::TcpStream> stream,
                    Held::State state) {
    Held& held = streams_[id] = {std::move(stream), state};
    held.stream->set_handlers(
        {.on_open =
             [this, id] {
                 const auto found = streams_.find(id);
                 if (found == streams_.end()) return;
                 if (found->second.state == Held::State::Open) return;  // an accepted one
                 found->second.state = Held::State::Open;
                 const drivers::TcpStream& opened = *found->second.stream;
                 handlers_.on_opened(id, {opened.local_address(), opened.peer_address()});
             },
         .on_bytes = [this, id](BytesView bytes) { handlers_.on_bytes(id, bytes); },
         .on_end = {},
         .on_writable = {},
         .on_closed = [this, id](const drivers::Closed& closed) { ended(id, closed); }});
}

void Streams::ended(connect::StreamId id, const drivers::Closed& closed) {
    const auto gone = streams_.extract(id);
    if (!gone) return;
    if (gone.mapped().state == Held::State::Open) return handlers_.on_closed(id);
    handlers_.on_failed(id, closed.reason == drivers::CloseReason::TimedOut
                                ? ice::ConnectFailure::TimedOut
                                : ice::ConnectFailure::Refused);
}

// What was written leaves still.
void Streams::close(connect::StreamId stream) {
    auto gone = streams_.extract(stream);
    if (!gone) return;
    auto& closing = closing_[stream] = std::move(gone.mapped().stream);
    closing->set_handlers(
        {.on_open = {},
         .on_bytes = [](BytesView) {},
         .on_end = {},
         .on_writable = {},
         .on_closed = [this, stream](const drivers::Closed&) { closing_.erase(stream); }});
    closing->close();
}

void Streams::write(connect::StreamId stream, BytesView octets) {
    const auto found = streams_.find(stream);
    if (found != streams_.end()) (void)found->second.stream->write(octets);
}

}  // namespace stile::ice_peer
