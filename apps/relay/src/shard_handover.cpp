// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// A shard that goes on in another process.
#include "shard.hpp"

#include <algorithm>

namespace stile::relay {
namespace {

template <class Handed>
std::vector<Handed> take_of_tenant(std::vector<Handed>& all, std::size_t tenant) {
    std::vector<Handed> taken;
    for (Handed& each : all) {
        if (each.tenant == tenant) taken.push_back(std::move(each));
    }
    return taken;
}

}  // namespace

HandedShard Shard::copy() {
    HandedShard handed;
    for (const auto& tenant : tenants_) tenant->settle();
    sockets_.flush();
    streams_.flush();
    streams_.copy(handed);
    std::set<turn::ClientFlow> connected;
    for (const HandedStream& stream : handed.streams) connected.insert(stream.flow);
    staying_.clear();
    for (const auto& tenant : tenants_) {
        tenant->copy(
            handed,
            [&](const turn::ClientFlow& flow) {
                if (flow.transport == turn::ClientTransport::Udp) return true;
                if (flow.transport != turn::ClientTransport::Tcp) return false;
                // Its connection may be on another shard, which gives it.
                return connected.contains(flow) || foreign_.origin_of(flow).has_value();
            },
            staying_);
    }
    std::erase_if(handed.streams,
                  [&](const HandedStream& stream) { return staying_.contains(stream.flow); });
    for (const UdpListener& listener : udp_listeners_) {
        if (listener.state == UdpListener::State::Closed) continue;
        handed.listeners.push_back(
            {.listener = listener.listener, .socket = sockets_.duplicate(listener.socket)});
    }
    for (const auto& listener : tcp_listeners_) {
        handed.listeners.push_back(
            {.listener = listener->listener, .socket = listener->socket->duplicate()});
    }
    foreign_.each_owner([&](const turn::ClientFlow& flow, std::uint8_t shard) {
        handed.owners.push_back({flow, shard});
    });
    foreign_.each_origin([&](const turn::ClientFlow& flow, std::uint8_t shard) {
        handed.origins.push_back({flow, shard});
    });
    return handed;
}

void Shard::leave() {
    // An allocation of a TLS client may be on another shard.
    foreign_.each_owner([&](const turn::ClientFlow& flow, std::uint8_t) {
        if (flow.transport == turn::ClientTransport::Tls ||
            flow.transport == turn::ClientTransport::Dtls) {
            staying_.insert(flow);
        }
    });
    for (const auto& tenant : tenants_) tenant->leave();
    streams_.leave(staying_);
    for (UdpListener& listener : udp_listeners_) {
        if (listener.state == UdpListener::State::Closed) continue;
        keep_dtls_clients(listener);
        sockets_.close(listener.socket);
        listener.state = UdpListener::State::Closed;
    }
    for (const auto& listener : tcp_listeners_) (void)listener->socket->release();
    loop_.post(
        [gone = std::make_shared<decltype(tcp_listeners_)>(std::exchange(tcp_listeners_, {}))] {});
    drain(std::nullopt);
}

// The system prefers a connected socket: what these clients send goes on arriving here. Those
// without an allocation begin again with the other process.
void Shard::keep_dtls_clients(const UdpListener& listener) {
    if (!listener.dtls) return;
    const auto index = static_cast<std::size_t>(&listener - udp_listeners_.data());
    for (const turn::ClientFlow& flow : listener.dtls->flows()) {
        if (!staying_.contains(flow)) {
            listener.dtls->close(flow);
            continue;
        }
        auto options = listener_options(index);
        options.senders = drivers::UdpSocketSet::Senders::Few;
        options.peer = flow.remote;
        const auto socket = sockets_.open(flow.local, options);
        if (socket) listener.dtls->set_socket(flow, *socket);
    }
}

void Shard::resume(HandedShard handed, const Settings& settings) {
    for (HandedListener& from : handed.listeners) {
        Listener listener = from.listener;
        if (is_datagram(listener.kind)) {
            const auto socket =
                sockets_.adopt(std::move(from.socket), listener_options(udp_listeners_.size()));
            if (!socket) continue;
            udp_listeners_.push_back(
                {.listener = listener, .socket = *socket, .dtls = {}, .claimed = Claimed::NotYet});
            continue;
        }
        auto made = std::make_unique<TcpListener>();
        made->listener = listener;
        made->claimed = Claimed::NotYet;
        made->socket = drivers::TcpListener::adopt(
            loop_, std::move(from.socket),
            [this, raw = made.get()](std::unique_ptr<drivers::TcpStream> stream) {
                accept(std::move(stream), raw->listener);
            });
        tcp_listeners_.push_back(std::move(made));
    }
    for (const auto& [flow, shard] : handed.owners) foreign_.set_owner(flow, shard);
    for (const auto& [flow, shard] : handed.origins) {
        foreign_.resume_origin(loop_.now(), flow, shard);
    }
    for (std::size_t i = 0; i < handed.tenants.size(); ++i) {
        const auto known =
            std::ranges::find(settings.tenants, handed.tenants[i].realm, &Tenant::realm);
        if (known == settings.tenants.end()) continue;
        const auto index = static_cast<std::size_t>(known - settings.tenants.begin());
        std::set<turn::ClientFlow> with_allocation;
        for (const auto& each : handed.tenants[i].state.allocations) {
            with_allocation.insert(each.flow);
        }
        for (HandedStream& stream : take_of_tenant(handed.streams, i)) {
            stream.tenant = index;
            const bool has =
                with_allocation.contains(stream.flow) || foreign_.owner_of(stream.flow).has_value();
            streams_.resume(std::move(stream),
                            has ? StreamClient::Standing::Known : StreamClient::Standing::Stranger);
        }
        for (HandedIncoming& incoming : handed.incoming) {
            if (incoming.listener.tenant != i || !incoming.socket.valid()) continue;
            incoming.listener.tenant = index;
            streams_.resume(std::move(incoming));
        }
        tenants_[index]->resume(handed.tenants[i].state, take_of_tenant(handed.relays, i),
                                take_of_tenant(handed.connections, i));
    }
}

std::optional<SocketAddress> Shard::resumed(const Listener& listener) {
    const auto claim = [&](Listener& other, Claimed& claimed) {
        if (claimed == Claimed::Yes || other.kind != listener.kind ||
            other.address.ip != listener.address.ip ||
            (listener.address.port.value != 0 && other.address.port != listener.address.port)) {
            return false;
        }
        claimed = Claimed::Yes;
        const SocketAddress address = other.address;
        other = listener;
        other.address = address;
        return true;
    };
    for (UdpListener& other : udp_listeners_) {
        if (!claim(other.listener, other.claimed)) continue;
        if (contexts_.dtls) begin_dtls(other, *contexts_.dtls);
        return other.listener.address;
    }
    for (const auto& other : tcp_listeners_) {
        if (claim(other->listener, other->claimed)) return other->listener.address;
    }
    return std::nullopt;
}

void Shard::drop_unclaimed() {
    for (UdpListener& listener : udp_listeners_) {
        if (listener.claimed == Claimed::Yes || listener.state == UdpListener::State::Closed) {
            continue;
        }
        sockets_.close(listener.socket);
        listener.state = UdpListener::State::Closed;
    }
    std::erase_if(tcp_listeners_, [](const std::unique_ptr<TcpListener>& listener) {
        return listener->claimed == Claimed::NotYet;
    });
}

}  // namespace stile::relay
