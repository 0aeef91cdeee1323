// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The TCP connections of the node's sessions.
#include "node.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace stile::peer {
namespace {

// What a person can do something about, other than that a network lets no TCP through.
bool is_worth_telling(drivers::CloseReason reason) {
    using drivers::CloseReason;
    return reason == CloseReason::Proxy || reason == CloseReason::Untrusted ||
           reason == CloseReason::Expired || reason == CloseReason::WrongName;
}

}  // namespace

std::unique_ptr<PathStreams> Node::make_streams(Link& link) {
    return std::make_unique<PathStreams>(
        loop_, dialer_,
        PathStreams::Handlers{
            .on_opened =
                [this, &link](connect::StreamId stream, const Path& path) {
                    endpoint_.handle_stream_opened(loop_.now(), link.session(), stream, path);
                    pump();
                },
            .on_failed =
                [this, &link](connect::StreamId stream, ice::ConnectFailure failure,
                              const drivers::Closed& closed) {
                    if (handlers_.on_trouble && is_worth_telling(closed.reason)) {
                        handlers_.on_trouble({app::ExitCode::NoPath,
                                              "A relay cannot be used over TCP",
                                              std::string{drivers::to_string(closed.reason)},
                                              closed.text, "stile doctor says more"});
                    }
                    endpoint_.handle_stream_failed(loop_.now(), link.session(), stream, failure);
                    pump();
                },
            .on_accepted =
                [this, &link](const Path& path) {
                    const auto stream =
                        endpoint_.handle_stream_accepted(loop_.now(), link.session(), path);
                    timer_.arm(loop_.now());
                    return stream;
                },
            .on_bytes = [this, &link](
                            connect::StreamId stream,
                            BytesView bytes) { handle_stream_bytes(link, stream, bytes); },
            .on_closed =
                [this, &link](connect::StreamId stream) {
                    endpoint_.handle_stream_closed(loop_.now(), link.session(), stream);
                    pump();
                }});
}

std::vector<connect::Listener> Node::listen(PathStreams& streams,
                                            const std::vector<SocketAddress>& hosts) {
    std::vector<connect::Listener> listeners;
    for (const SocketAddress& host : hosts) {
        if (listeners.size() + 2 > connect::limits::most_listeners) break;
        streams.listen(host, listeners);
    }
    // A connection that comes in needs no more than the one.
    for (const connect::Listener& listener : listeners) {
        if (!mappings_ || listener.type != ice::TcpType::Passive) continue;
        mappings_->map(listener.address, portmap::Protocol::Tcp);
    }
    return listeners;
}

void Node::open_stream(const session::StreamWanted& event) {
    const auto entry = entries_.find(event.session);
    if (entry == entries_.end()) return;
    // What a NAT makes of a listener's port is not to be learnt through a proxy.
    using LocalPort = connect::StreamWanted::LocalPort;
    const bool to_relay =
        event.wanted.local_port == LocalPort::Any &&
        std::ranges::find(access_.turn_servers, event.wanted.path.remote,
                          &connect::TurnServer::address) != access_.turn_servers.end();
    entry->second.streams->open(event.wanted,
                                to_relay ? PathStreams::Toward::Server : PathStreams::Toward::Peer,
                                {.ca_pem = account_.ca_pem});
}

void Node::handle_stream_bytes(Link& link, connect::StreamId stream, BytesView bytes) {
    endpoint_.handle_stream_bytes(loop_.now(), link.session(), stream, bytes);
    while (const auto received = endpoint_.poll_received(link.session())) {
        link.handle_payload(received->payload);
    }
    link.pump();
    pump();
}

// A connection takes a frame at once or never: what waited for the next wake-up would fill the
// path's queue.
void Node::send_by_session(const Link& link, BytesView payload) {
    endpoint_.send(loop_.now(), link.session(), payload);
    while (const auto transmit = endpoint_.poll_transmit()) send(*transmit);
    timer_.arm(loop_.now());
}

}  // namespace stile::peer
