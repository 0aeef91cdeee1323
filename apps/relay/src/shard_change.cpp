// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Changes of a shard that runs: other settings, and another process that goes on.
#include "shard.hpp"
#include "tag.hpp"
#include "tenant_config.hpp"

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::relay {
namespace {

bool is_datagram(ListenerKind kind) {
    return kind == ListenerKind::Udp || kind == ListenerKind::Dtls;
}

// What another process can continue: TLS, DTLS and TCP relays have state that it cannot be given.
bool can_leave(const turn::Snapshot::Allocation& allocation) {
    const auto transport = allocation.flow.transport;
    return allocation.protocol == turn::RelayProtocol::Udp &&
           (transport == turn::ClientTransport::Udp || transport == turn::ClientTransport::Tcp);
}

}  // namespace

void Shard::stop_listening(const SocketAddress& address, ListenerKind kind) {
    for (UdpListener& listener : udp_listeners_) {
        if (listener.state == UdpListener::State::Closed || !is_datagram(kind) ||
            listener.listener.address != address) {
            continue;
        }
        sockets_.close(listener.socket);
        listener.state = UdpListener::State::Closed;
        // Not here: this may be one of its callbacks.
        loop_.post([gone = std::move(listener.dtls)] {});
    }
    std::erase_if(tcp_listeners_, [&](const std::unique_ptr<TcpListener>& listener) {
        return !is_datagram(kind) && listener->listener.address == address;
    });
}

void Shard::reconfigure(const Settings& before, const Settings& settings,
                        const Contexts& contexts) {
    ports_->change(settings.relay_addresses, settings.ports);
    streams_.set_limits(settings.streams);
    streams_.set_context(contexts.tls);
    contexts_ = contexts;
    for (UdpListener& listener : udp_listeners_) {
        if (!contexts.dtls || listener.state == UdpListener::State::Closed) continue;
        if (listener.dtls) {
            listener.dtls->set_context(*contexts.dtls);
        } else {
            begin_dtls(listener, *contexts.dtls);
        }
    }
    const turn::Offer offload = common_.kernel ? common_.kernel->offer() : turn::Offer::NotOffered;
    for (std::size_t i = 0; i < settings.tenants.size(); ++i) {
        if (i >= tenants_.size()) {
            add_tenant(settings, i);
            continue;
        }
        TenantFront& tenant = *tenants_[i];
        tenant.reconfigure(
            service_config(settings, settings.tenants[i], number_, common_.directory, offload));
        const bool filled = fill_credentials(tenant.service().credentials(), settings.tenants[i],
                                             &before.tenants[i]);
        STILE_ASSERT(filled);
    }
}

HandedShard Shard::hand_over() {
    HandedShard handed;
    streams_.flush();
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
        std::vector<turn::ClientFlow> leaving;
        for (const auto& allocation : tenants_[i]->service().snapshot(loop_.now()).allocations) {
            if (!can_leave(allocation)) continue;
            if (allocation.flow.transport == turn::ClientTransport::Tcp) {
                const StreamClient* const client = streams_.find(allocation.flow);
                // Behind a balancer the connection has other addresses than its client.
                if (client == nullptr ||
                    dynamic_cast<drivers::TcpStream*>(client->stream.get()) == nullptr) {
                    continue;
                }
            }
            leaving.push_back(allocation.flow);
        }
        handed.tenants.push_back(tenants_[i]->hand_over(leaving, handed.relays));
        for (const turn::ClientFlow& flow : leaving) {
            if (flow.transport != turn::ClientTransport::Tcp) continue;
            StreamFront::Taken taken = streams_.take_connection(flow);
            auto released = static_cast<drivers::TcpStream&>(*taken.stream).release();
            handed.streams.push_back({.tenant = i,
                                      .flow = flow,
                                      .socket = std::move(released.socket),
                                      .unread = std::move(taken.unread),
                                      .unsent = std::move(released.unsent)});
        }
    }
    for (UdpListener& listener : udp_listeners_) {
        if (listener.state == UdpListener::State::Closed) continue;
        keep_dtls_clients(listener);
        handed.listeners.push_back(
            {.listener = listener.listener, .socket = sockets_.release(listener.socket)});
        listener.state = UdpListener::State::Closed;
    }
    for (const auto& listener : tcp_listeners_) {
        handed.listeners.push_back(
            {.listener = listener->listener, .socket = listener->socket->release()});
    }
    loop_.post(
        [gone = std::make_shared<decltype(tcp_listeners_)>(std::exchange(tcp_listeners_, {}))] {});
    for (const auto& tenant : tenants_) tenant->service().drain();
    return handed;
}

// The system prefers a connected socket: what these clients send goes on arriving here.
void Shard::keep_dtls_clients(const UdpListener& listener) {
    if (!listener.dtls) return;
    const auto index = static_cast<std::size_t>(&listener - udp_listeners_.data());
    for (const turn::ClientFlow& flow : listener.dtls->flows()) {
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
            udp_listeners_.push_back({.listener = listener, .socket = *socket, .dtls = {}});
            if (contexts_.dtls) begin_dtls(udp_listeners_.back(), *contexts_.dtls);
            continue;
        }
        auto made = std::make_unique<TcpListener>();
        made->listener = listener;
        made->socket = drivers::TcpListener::adopt(
            loop_, std::move(from.socket),
            [this, raw = made.get()](std::unique_ptr<drivers::TcpStream> stream) {
                accept(std::move(stream), raw->listener);
            });
        tcp_listeners_.push_back(std::move(made));
    }
    for (std::size_t i = 0; i < handed.tenants.size(); ++i) {
        const auto known =
            std::ranges::find(settings.tenants, handed.tenants[i].realm, &Tenant::realm);
        if (known == settings.tenants.end()) continue;
        const auto index = static_cast<std::size_t>(known - settings.tenants.begin());
        std::vector<HandedRelay> relays;
        for (HandedRelay& relay : handed.relays) {
            if (relay.tenant == i) relays.push_back(std::move(relay));
        }
        tenants_[index]->resume(handed.tenants[i].state, std::move(relays));
        for (HandedStream& stream : handed.streams) {
            if (stream.tenant != i) continue;
            auto socket = drivers::TcpStream::adopt(loop_, std::move(stream.socket));
            if (!stream.unsent.empty()) (void)socket->write(stream.unsent);
            streams_.resume(std::move(socket), stream.flow, index, std::move(stream.unread));
        }
    }
}

std::optional<SocketAddress> Shard::resumed(const Listener& listener) const {
    const auto fits = [&](const Listener& other) {
        return other.kind == listener.kind && other.address.ip == listener.address.ip &&
               (listener.address.port.value == 0 || other.address.port == listener.address.port);
    };
    for (const UdpListener& other : udp_listeners_) {
        if (fits(other.listener)) return other.listener.address;
    }
    for (const auto& other : tcp_listeners_) {
        if (fits(other->listener)) return other->listener.address;
    }
    return std::nullopt;
}

}  // namespace stile::relay
