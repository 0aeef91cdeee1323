// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "home.hpp"
#include "node.hpp"

namespace stile::peer {

// A node without a monitor lives as long as its first network does, and says nothing of it: its
// sessions end as they do when a peer is gone.
void Node::watch_network() {
    auto monitor = drivers::NetworkMonitor::open(loop_, [this] { handle_network_changed(); });
    if (monitor) monitor_ = *std::move(monitor);
}

// Ordinary interfaces before those of containers: a bridge's address leads nowhere for most peers.
// An address for a day before the one for ever, where there are both: it tells less (RFC 8981).
std::vector<IpAddress> Node::candidate_addresses() const {
    std::vector<IpAddress> addresses;
    std::vector<IpAddress> last;
    const auto local = drivers::local_addresses();
    if (!local) return addresses;
    for (const drivers::LocalAddress& address : *local) {
        if (address.link_local || address.deprecated) continue;
        if (address.ip.is_loopback() && !loopback_admitted()) continue;
        const bool aside =
            address.kind == drivers::InterfaceKind::Container || address.ip.is_loopback();
        if (aside) {
            last.push_back(address.ip);
        } else if (address.temporary) {
            addresses.insert(addresses.begin(), address.ip);
        } else {
            addresses.push_back(address.ip);
        }
    }
    addresses.insert(addresses.end(), last.begin(), last.end());
    return addresses;
}

// Sockets first, then the connection to the server: what the sessions have to tell is then the new.
void Node::handle_network_changed() {
    if (on_stopped_) return;
    const auto local = drivers::local_addresses();
    if (!local) return;
    if (mappings_) mappings_->handle_network_changed();
    const std::vector<IpAddress> addresses = candidate_addresses();
    for (auto& [session, entry] : entries_) {
        const auto [opened, closed] = entry.link->follow_addresses(addresses);
        for (const SocketAddress& socket : opened) {
            if (mappings_) mappings_->map(socket);
            endpoint_.handle_host_added(loop_.now(), session, socket);
        }
        for (const SocketAddress& socket : closed) {
            if (mappings_) mappings_->unmap(socket);
            endpoint_.handle_host_removed(loop_.now(), session, socket);
        }
    }
    std::vector<IpAddress> all;
    for (const drivers::LocalAddress& address : *local) all.push_back(address.ip);
    signalling_.follow_addresses(all);
    pump();
    // Whoever waits before the next try waits for a network: here it may be.
    if (!flow_open_ && (purpose_ == session::Purpose::Serve || !entries_.empty())) {
        signalling_.connect();
    }
}

}  // namespace stile::peer
