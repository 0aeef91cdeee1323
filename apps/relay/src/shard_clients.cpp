// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What goes between clients of all kinds, the cores and the other shards.
#include "shard.hpp"
#include "tag.hpp"

#include <algorithm>

namespace stile::relay {
namespace {

using turn::ClientTransport;

// Data and most indications say nothing about shards; requests may.
bool may_name_a_shard(BytesView message) {
    return !message.empty() && (message[0] & std::byte{0xC0}) == std::byte{0};
}

std::uint64_t hash_of(HashSeed seed, const IpAddress& ip) {
    std::array<std::uint64_t, 2> words{};
    const BytesView octets = ip.octets();
    for (std::size_t i = 0; i < octets.size(); ++i) {
        words[i / 8] = words[i / 8] << 8U | std::to_integer<std::uint64_t>(octets[i]);
    }
    return table_hash(seed, words);
}

}  // namespace

// All connections of one client are on one shard, so that a data connection of RFC 6062 finds its
// allocation. Behind a balancer it is not known yet who the client is.
void Shard::accept(std::unique_ptr<drivers::TcpStream> stream, const Listener& listener) {
    const std::size_t shards = common_.shards.size();
    if (shards > 1 && listener.proxy_protocol == ProxyProtocol::NotExpected) {
        Shard& home = *common_.shards[hash_of(common_.seed, stream->peer_address().ip) % shards];
        if (&home != this) {
            auto released = stream->release();
            if (!released.socket.valid()) return;
            home.mail([&home, listener, socket = std::move(released.socket)]() mutable {
                home.streams_.take(drivers::TcpStream::adopt(home.loop_, std::move(socket)),
                                   listener);
            });
            return;
        }
    }
    streams_.take(std::move(stream), listener);
}

void Shard::handle_arrivals(std::uint64_t socket_tag,
                            std::span<const drivers::UdpSocketSet::Arrival> arrivals) {
    if (!tag::is_relay(socket_tag)) {
        return handle_clients(udp_listeners_[tag::index(socket_tag)], arrivals);
    }
    TenantFront& tenant = *tenants_[tag::tenant(socket_tag)];
    for (const auto& arrival : arrivals) tenant.handle_peer(tag::index(socket_tag), arrival);
}

void Shard::handle_clients(UdpListener& listener,
                           std::span<const drivers::UdpSocketSet::Arrival> arrivals) {
    const std::size_t tenant = listener.listener.tenant;
    const bool dtls_alone = listener.listener.kind == ListenerKind::Dtls;
    for (const auto& arrival : arrivals) {
        const turn::ClientFlow flow{arrival.path.local, arrival.path.remote, ClientTransport::Udp};
        BytesView rest = arrival.payload;
        do {
            const BytesView datagram = rest.first(std::min(arrival.segment_size, rest.size()));
            rest = rest.subspan(datagram.size());
            // RFC 7983 Section 7.
            if (listener.dtls && drivers::looks_like_dtls(datagram)) {
                listener.dtls->handle_datagram(arrival.path, datagram);
            } else if (!dtls_alone) {
                handle_message(tenant, flow, datagram);
            }
        } while (!rest.empty());
    }
    tenants_[tenant]->pump();
}

void Shard::handle_message(std::size_t tenant, const turn::ClientFlow& flow, BytesView message) {
    if (common_.shards.size() > 1) {
        auto owner = foreign_.owner_of(flow);
        if (!owner && may_name_a_shard(message)) {
            owner = turn::Server::shard_of_request(message);
        }
        if (owner && *owner != number_ && *owner < common_.shards.size()) {
            return forward(*owner, tenant, flow, message);
        }
    }
    tenants_[tenant]->handle_client(flow, message);
}

void Shard::forward(std::uint8_t shard, std::size_t tenant, const turn::ClientFlow& flow,
                    BytesView message) {
    if (!foreign_.expect_owner(loop_.now(), flow, shard)) return;
    Shard& owner = *common_.shards[shard];
    owner.mail([&owner, from = number_, tenant, flow, copy = to_bytes(message)] {
        owner.handle_forwarded(from, tenant, flow, copy);
    });
}

void Shard::handle_forwarded(std::uint8_t from, std::size_t tenant, const turn::ClientFlow& flow,
                             BytesView message) {
    if (tenant >= tenants_.size() || !foreign_.set_origin(loop_.now(), flow, from)) return;
    tenants_[tenant]->handle_client(flow, message);
    tenants_[tenant]->pump();
    sockets_.flush();
}

void Shard::client_gone(std::size_t tenant, const turn::ClientFlow& flow) {
    if (const auto owner = foreign_.owner_of(flow)) {
        foreign_.clear_owner(flow);
        Shard& shard = *common_.shards[*owner];
        // Not as mail: an allocation that is not ended would stay.
        shard.post([&shard, tenant, flow] {
            shard.foreign_.clear_origin(flow);
            shard.client_gone(tenant, flow);
        });
        return;
    }
    tenants_[tenant]->service().handle_client_gone(loop_.now(), flow);
    tenants_[tenant]->pump();
}

void Shard::end_round() { streams_.flush(); }

void Shard::send_to_client(const turn::ToClient& message) {
    if (message.flow.transport == ClientTransport::Udp) {
        const UdpListener* const listener = listener_of(message.flow.local);
        if (listener == nullptr) return;
        return sockets_.send({.from = listener->socket,
                              .path = {.local = message.flow.local, .remote = message.flow.remote},
                              .prefix = message.prefix(),
                              .payload = message.payload,
                              .padding = message.padding});
    }
    send_parts(message.flow, message.prefix(), message.payload, message.padding,
               StreamFront::Kind::Data);
}

void Shard::send_answer(const turn::ClientFlow& flow, BytesView message) {
    if (flow.transport == ClientTransport::Udp) {
        const UdpListener* const listener = listener_of(flow.local);
        if (listener == nullptr) return;
        return sockets_.send_copy({.from = listener->socket,
                                   .path = {.local = flow.local, .remote = flow.remote},
                                   .prefix = {},
                                   .payload = message});
    }
    send_parts(flow, {}, message, 0, StreamFront::Kind::Answer);
}

void Shard::send_parts(const turn::ClientFlow& flow, BytesView prefix, BytesView payload,
                       std::size_t padding, StreamFront::Kind kind) {
    static constexpr std::array<std::byte, 4> zeros{};
    if (const auto origin = foreign_.origin_of(flow)) {
        Bytes whole = to_bytes(prefix);
        whole.insert(whole.end(), payload.begin(), payload.end());
        whole.resize(whole.size() + padding);
        Shard& shard = *common_.shards[*origin];
        return shard.mail([&shard, flow, kind, whole = std::move(whole)] {
            shard.send_parts(flow, {}, whole, 0, kind);
        });
    }
    if (flow.transport == ClientTransport::Dtls) {
        for (const UdpListener& listener : udp_listeners_) {
            if (listener.dtls && listener.dtls->has(flow)) {
                return listener.dtls->send(flow, payload, prefix, padding);
            }
        }
    } else if (StreamClient* const client = streams_.find(flow)) {
        streams_.send(*client, {prefix, payload, BytesView{zeros}.first(padding)}, kind);
    }
}

void Shard::allocation_opened(const turn::ClientFlow& flow) {
    const auto origin = foreign_.origin_of(flow);
    if (!origin) {
        if (turn::is_stream(flow.transport)) {
            streams_.set_standing(flow, StreamClient::Standing::Known);
        }
        return;
    }
    foreign_.keep(flow);
    Shard& shard = *common_.shards[*origin];
    shard.post([&shard, owner = number_, flow] {
        shard.foreign_.set_owner(flow, owner);
        shard.streams_.set_standing(flow, StreamClient::Standing::Known);
    });
}

void Shard::allocation_closed(const turn::ClientFlow& flow) {
    const auto origin = foreign_.origin_of(flow);
    if (!origin) {
        if (turn::is_stream(flow.transport)) {
            streams_.set_standing(flow, StreamClient::Standing::Stranger);
        }
        return;
    }
    foreign_.clear_origin(flow);
    Shard& shard = *common_.shards[*origin];
    shard.post([&shard, flow] {
        shard.foreign_.clear_owner(flow);
        shard.streams_.set_standing(flow, StreamClient::Standing::Stranger);
    });
}

void Shard::allocation_moved(const turn::ClientFlow& from, const turn::ClientFlow& to) {
    allocation_closed(from);
    allocation_opened(to);
}

StreamFront::Taken Shard::take_connection(const turn::ClientFlow& flow) {
    return streams_.take_connection(flow);
}

// The listener that the client's datagrams come to: at its address, or everywhere.
Shard::UdpListener* Shard::listener_of(const SocketAddress& local) {
    for (UdpListener& listener : udp_listeners_) {
        const SocketAddress& bound = listener.listener.address;
        if (listener.state == UdpListener::State::Closed) continue;
        const bool fits = bound.ip == local.ip ||
                          (bound.ip.is_unspecified() && bound.ip.family() == local.ip.family());
        if (fits && bound.port == local.port) return &listener;
    }
    return nullptr;
}

}  // namespace stile::relay
