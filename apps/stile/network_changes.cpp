// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "home.hpp"
#include "node.hpp"

#include <stile/drivers/gateways.hpp>

#include <algorithm>
#include <utility>

namespace stile::peer {

// A node without a monitor lives as long as its first network does, and says nothing of it: its
// sessions end as they do when a peer is gone.
void Node::watch_network() {
    auto monitor = drivers::NetworkMonitor::open(loop_, [this] { handle_network_changed(); });
    if (monitor) monitor_ = *std::move(monitor);
}

// What a default route leads out of first: the best are asked and checked before those that may
// lead nowhere. Containers' last: a bridge's address leads nowhere for most peers. An address for a
// day before the one for ever, where there are both: it tells less (RFC 8981).
std::vector<IpAddress> Node::candidate_addresses() const {
    enum class Rank : std::uint8_t { DefaultRoute, Ordinary, Aside };
    const auto local = drivers::local_addresses();
    if (!local) return {};
    const auto gateways = drivers::default_gateways().value_or(std::vector<drivers::Gateway>{});
    const auto rank = [&](const drivers::LocalAddress& address) {
        if (address.kind == drivers::InterfaceKind::Container || address.ip.is_loopback()) {
            return Rank::Aside;
        }
        const bool leads_out = std::ranges::any_of(gateways, [&](const drivers::Gateway& gateway) {
            return gateway.interface_index == address.interface_index &&
                   gateway.address.family() == address.ip.family();
        });
        return leads_out ? Rank::DefaultRoute : Rank::Ordinary;
    };
    std::vector<IpAddress> addresses;
    const auto add = [&](Rank wanted, bool temporary) {
        for (const drivers::LocalAddress& address : *local) {
            if (address.link_local || address.deprecated || address.temporary != temporary)
                continue;
            if (rank(address) != wanted) continue;
            if (address.ip.is_loopback() && !loopback_admitted()) continue;
            addresses.push_back(address.ip);
        }
    };
    for (const Rank wanted : {Rank::DefaultRoute, Rank::Ordinary, Rank::Aside}) {
        add(wanted, true);
        add(wanted, false);
    }
    return addresses;
}

void Node::follow_addresses() {
    const std::vector<IpAddress> addresses = candidate_addresses();
    const auto local = drivers::local_addresses();
    if (!local) return;  // not known just now
    // Connections may leave from others than candidates do, as the one to a proxy on this host.
    std::vector<IpAddress> all;
    for (const drivers::LocalAddress& address : *local) all.push_back(address.ip);
    const NodeSockets::Changes changes = sockets_.follow_addresses(addresses);
    if (mappings_) {
        for (const SocketAddress& socket : changes.opened) mappings_->map(socket);
        for (const SocketAddress& socket : changes.closed) mappings_->unmap(socket);
    }
    // What comes of it, when all is told: a session's end takes its entry away.
    const bool pumping = std::exchange(pumping_, true);
    for (auto& [session, entry] : entries_) follow_addresses(session, entry, all, changes);
    pumping_ = pumping;
}

// What is new before what is gone; of that the connections first, so that no path moves to one.
void Node::follow_addresses(session::SessionId session, Entry& entry,
                            const std::vector<IpAddress>& addresses,
                            const NodeSockets::Changes& changes) {
    if (endpoint_.find(session) == nullptr) return;  // all that there is, when it is accepted
    for (const connect::Listener& listener : listen(*entry.streams, changes.opened)) {
        endpoint_.handle_listener_added(loop_.now(), session, listener);
    }
    for (const SocketAddress& socket : changes.opened) {
        endpoint_.handle_host_added(loop_.now(), session, socket);
    }
    for (const connect::Listener& listener : entry.streams->follow_addresses(addresses)) {
        if (mappings_) mappings_->unmap(listener.address, portmap::Protocol::Tcp);
        endpoint_.handle_listener_removed(loop_.now(), session, listener);
    }
    for (const SocketAddress& socket : changes.closed) {
        entry.link->close_socket(socket.ip);
        endpoint_.handle_host_removed(loop_.now(), session, socket);
    }
}

// The connection to the server first: into one that is gone a session would say that it has lost
// its way. By the time the next one is there, it has the new sockets to tell of.
void Node::handle_network_changed() {
    if (on_stopped_) return;
    nat64_.forget();
    look_for_nat64();
    const auto local = drivers::local_addresses();
    if (!local) return;
    if (mappings_) mappings_->handle_network_changed();
    std::vector<IpAddress> all;
    for (const drivers::LocalAddress& address : *local) all.push_back(address.ip);
    log_network_changed(all);
    signalling_.follow_addresses(all);
    // Names before descriptions: a new address must not be told for want of its name.
    local_names_.handle_network_changed();
    if (address_hiding_wanted()) endpoint_.set_concealment(concealment());
    endpoint_.handle_network_changed();
    follow_addresses();
    pump();
    // Whoever waits before the next try waits for a network: here it may be.
    if (!flow_open_ && (purpose_ == session::Purpose::Serve || !entries_.empty())) {
        signalling_.connect();
    }
}

}  // namespace stile::peer
