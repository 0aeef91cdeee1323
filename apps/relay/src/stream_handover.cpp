// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Connections that go on in another process.
#include "stream_front.hpp"

#include "replay_stream.hpp"

namespace stile::relay {
namespace {

// Empty where there is more to it than TCP, and where it is about to end.
drivers::TcpStream::Released copy_of(const drivers::Stream& stream) {
    const drivers::TcpStream* const tcp = plain_tcp(stream);
    return tcp == nullptr ? drivers::TcpStream::Released{} : tcp->duplicate();
}

// The other process has the connection: nothing of it may be ended here.
void let_go(drivers::Stream& stream) {
    if (drivers::TcpStream* const tcp = plain_tcp(stream)) (void)tcp->release();
}

void append(Bytes& all, BytesView more) { all.insert(all.end(), more.begin(), more.end()); }

}  // namespace

void StreamFront::copy(HandedShard& handed) const {
    for (const auto& [flow, client] : clients_) {
        auto connection = copy_of(*client->stream);
        if (!connection.socket.valid()) continue;
        Bytes unread = client->unread;
        append(unread, waiting_in(*client->stream));
        handed.streams.push_back({.tenant = client->tenant,
                                  .flow = flow,
                                  .connection = std::move(connection),
                                  .unread = std::move(unread)});
    }
    for (const auto& [raw, incoming] : incoming_) {
        auto connection = copy_of(*incoming->stream);
        if (!connection.socket.valid()) continue;
        Bytes unread = incoming->read;
        append(unread, waiting_in(*incoming->stream));
        handed.incoming.push_back({.listener = incoming->listener,
                                   .addresses = incoming->addresses,
                                   .socket = std::move(connection.socket),
                                   .unread = std::move(unread)});
    }
}

void StreamFront::leave(const std::set<turn::ClientFlow>& staying) {
    const auto clients = clients_;
    for (const auto& [flow, client] : clients) {
        if (staying.contains(flow)) continue;
        if (plain_tcp(*client->stream) == nullptr) {
            close(flow);
            continue;
        }
        let_go(*take_connection(flow).stream);
    }
    const auto incoming = incoming_;
    for (const auto& [raw, each] : incoming) {
        let_go(*each->stream);
        discard(each);
    }
}

void StreamFront::resume(HandedStream handed, StreamClient::Standing standing) {
    auto client = std::make_shared<StreamClient>();
    client->flow = handed.flow;
    client->tenant = handed.tenant;
    client->source = handed.flow.remote.ip;
    client->standing = standing;
    if (standing == StreamClient::Standing::Stranger && !strangers_.enter(client->source)) return;
    auto stream = drivers::TcpStream::adopt(loop_, std::move(handed.connection.socket));
    if (!handed.connection.unsent.empty()) (void)stream->write(handed.connection.unsent);
    client->stream = std::move(stream);
    client->unread = std::move(handed.unread);
    add(client);
}

void StreamFront::resume(HandedIncoming handed) {
    std::unique_ptr<drivers::Stream> stream =
        drivers::TcpStream::adopt(loop_, std::move(handed.socket));
    if (!handed.unread.empty() || handed.addresses) {
        stream = std::make_unique<ReplayStream>(loop_, std::move(stream), std::move(handed.unread),
                                                handed.addresses);
    }
    take(std::move(stream), handed.listener);
}

}  // namespace stile::relay
