// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "path_streams.hpp"

#include <algorithm>

namespace stile::peer {
namespace {

// What runs on a path paces itself by what gets lost. Behind a slow connection more in queues would
// be delay and nothing else.
constexpr std::size_t most_buffered = 262'144;
constexpr std::uint32_t most_unsent = 131'072;
// The path gives an attempt up sooner, after Ti (RFC 6544 Section 6.3).
constexpr Duration connect_timeout = std::chrono::seconds{45};
constexpr Duration handshake_timeout = std::chrono::seconds{10};
constexpr int backlog = 16;

drivers::TcpOptions options_from(std::optional<SocketAddress> local) {
    return {.connect_timeout = connect_timeout,
            .most_buffered = most_buffered,
            .most_unsent = most_unsent,
            .local = local};
}

ice::ConnectFailure failure_of(drivers::CloseReason reason) {
    using drivers::CloseReason;
    switch (reason) {
        case CloseReason::TimedOut:
            return ice::ConnectFailure::TimedOut;
        case CloseReason::Unreachable:
            return ice::ConnectFailure::Unreachable;
        case CloseReason::Local:
        case CloseReason::Failed:
            return ice::ConnectFailure::Local;
        case CloseReason::PeerClosed:
        case CloseReason::Truncated:
        case CloseReason::Reset:
        case CloseReason::Refused:
        case CloseReason::Untrusted:
        case CloseReason::Expired:
        case CloseReason::WrongName:
        case CloseReason::RejectedByPeer:
        case CloseReason::Protocol:
        case CloseReason::Proxy:
            break;
    }
    return ice::ConnectFailure::Refused;
}

}  // namespace

PathStreams::PathStreams(drivers::Loop& loop, Dialer& dialer, Handlers handlers)
    : loop_(loop), dialer_(dialer), handlers_(std::move(handlers)) {}

PathStreams::~PathStreams() = default;

void PathStreams::listen(const SocketAddress& beside, std::vector<connect::Listener>& listeners) {
    const SocketAddress any_port{beside.ip, Port{0}};
    const auto passive = listen_at(any_port, ice::TcpType::Passive);
    if (!passive) return;
    listeners.push_back({*passive, ice::TcpType::Passive});
    if (const auto other = listen_at(any_port, ice::TcpType::SimultaneousOpen)) {
        listeners.push_back({*other, ice::TcpType::SimultaneousOpen});
    }
}

std::vector<SocketAddress> PathStreams::listening_at() const {
    std::vector<SocketAddress> addresses;
    for (const Listening& each : listeners_) {
        addresses.push_back(each.listener->local_address());
    }
    return addresses;
}

std::optional<SocketAddress> PathStreams::listen_at(const SocketAddress& address,
                                                    ice::TcpType type) {
    auto listener = drivers::TcpListener::open(
        loop_, address,
        [this](std::unique_ptr<drivers::TcpStream> stream) { accept(std::move(stream)); },
        {.reuse_port = drivers::ListenOptions::ReusePort::Yes,
         .backlog = backlog,
         .accepted = options_from({})});
    if (!listener) return std::nullopt;
    listeners_.push_back({*std::move(listener), type});
    return listeners_.back().listener->local_address();
}

std::vector<connect::Listener> PathStreams::follow_addresses(
    const std::vector<IpAddress>& addresses) {
    const auto is_gone = [&](const SocketAddress& local) {
        return !local.ip.is_unspecified() &&
               std::ranges::find(addresses, local.ip) == addresses.end();
    };
    std::vector<connect::Listener> closed;
    std::erase_if(listeners_, [&](const Listening& each) {
        const SocketAddress local = each.listener->local_address();
        if (is_gone(local)) closed.push_back({local, each.type});
        return is_gone(local);
    });
    std::vector<connect::StreamId> cut;
    for (const auto& [id, held] : streams_) {
        if (held.stream && is_gone(held.stream->local_address())) cut.push_back(id);
    }
    for (const connect::StreamId id : cut) {
        ended(id, {drivers::CloseReason::Unreachable, "its address is gone"});
    }
    return closed;
}

void PathStreams::accept(std::unique_ptr<drivers::TcpStream> stream) {
    const Path path{stream->local_address(), stream->peer_address()};
    const auto id = handlers_.on_accepted(path);
    if (!id) return;
    streams_[*id] = {.stream = nullptr, .remote = path.remote, .state = Held::State::Open};
    begin(*id, std::move(stream));
}

void PathStreams::open(const connect::StreamWanted& wanted, Toward toward,
                       const Authority& authority) {
    const connect::StreamId id = wanted.stream;
    const Path& path = wanted.path;
    streams_[id] = {.stream = nullptr, .remote = path.remote, .state = Held::State::Opening};
    const bool shared = wanted.local_port == connect::StreamWanted::LocalPort::Shared;
    const SocketAddress local{path.local.ip, shared ? path.local.port : Port{0}};
    const std::string host = path.remote.ip.to_string();
    const bool proxied = toward == Toward::Server && dialer_.is_proxied(host);
    std::optional<drivers::TlsContext> tls;
    if (wanted.security == connect::StreamSecurity::Tls) {
        auto context = drivers::TlsContext::client({.host = wanted.server_name,
                                                    .ca_pem = authority.ca_pem,
                                                    .handshake_timeout = handshake_timeout});
        if (!context) {
            return loop_.post(
                [this, id, alive = std::weak_ptr{alive_}, text = context.error().text] {
                    if (!alive.expired()) ended(id, {drivers::CloseReason::Failed, text});
                });
        }
        tls = *std::move(context);
    }
    const auto secured =
        [this, tls](std::unique_ptr<drivers::Stream> stream) -> std::unique_ptr<drivers::Stream> {
        if (!tls) return stream;
        return std::make_unique<drivers::TlsStream>(loop_, std::move(stream), *tls);
    };
    if (!proxied) {
        return begin(id,
                     secured(drivers::TcpStream::connect(loop_, path.remote, options_from(local))));
    }
    // The way to the proxy is the system's to choose.
    dialer_.dial(host, path.remote.port, options_from({}),
                 [this, id, secured, alive = std::weak_ptr{alive_}](auto stream) {
                     if (alive.expired() || !streams_.contains(id)) return;
                     if (stream) return begin(id, secured(*std::move(stream)));
                     ended(id, {drivers::CloseReason::Proxy, app::to_text(stream.error())});
                 });
}

void PathStreams::begin(connect::StreamId id, std::unique_ptr<drivers::Stream> stream) {
    Held& held = streams_.at(id);
    held.stream = std::move(stream);
    held.stream->set_handlers(
        {.on_open = [this, id] { opened(id); },
         .on_bytes = [this, id](BytesView bytes) { handlers_.on_bytes(id, bytes); },
         .on_end = {},
         .on_writable = {},
         .on_closed = [this, id](const drivers::Closed& closed) { ended(id, closed); }});
}

void PathStreams::opened(connect::StreamId id) {
    const auto found = streams_.find(id);
    // An accepted one was open before.
    if (found == streams_.end() || found->second.state == Held::State::Open) return;
    found->second.state = Held::State::Open;
    handlers_.on_opened(id, {found->second.stream->local_address(), found->second.remote});
}

void PathStreams::ended(connect::StreamId id, const drivers::Closed& closed) {
    // Until the callback has returned: it may ask for this very stream to be closed.
    const auto gone = streams_.extract(id);
    if (!gone) return;
    if (gone.mapped().state == Held::State::Open) {
        handlers_.on_closed(id);
    } else {
        handlers_.on_failed(id, failure_of(closed.reason), closed);
    }
}

void PathStreams::close(connect::StreamId stream) {
    auto gone = streams_.extract(stream);
    if (!gone || gone.mapped().state != Held::State::Open) return;
    auto& closing = closing_[stream] = std::move(gone.mapped().stream);
    closing->set_handlers(
        {.on_open = {},
         .on_bytes = [](BytesView) {},
         .on_end = {},
         .on_writable = {},
         .on_closed = [this, stream](const drivers::Closed&) { closing_.erase(stream); }});
    closing->close();
}

void PathStreams::send(connect::StreamId stream, BytesView octets) {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || !found->second.stream) return;
    (void)found->second.stream->write(octets);
}

}  // namespace stile::peer
