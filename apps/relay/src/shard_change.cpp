// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Other settings for a shard that runs.
#include "shard.hpp"
#include "tag.hpp"
#include "tenant_config.hpp"

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::relay {
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

}  // namespace stile::relay
