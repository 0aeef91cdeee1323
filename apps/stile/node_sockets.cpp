// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "node_sockets.hpp"

#include <stile/connect/limits.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace stile::peer {

NodeSockets::NodeSockets(drivers::Loop& loop, std::optional<Port> port, OnDatagrams on_datagrams)
    : loop_(loop),
      choice_(port ? PortChoice::Asked : PortChoice::Free),
      port_(port.value_or(Port{0})),
      on_datagrams_(std::move(on_datagrams)) {}

NodeSockets::~NodeSockets() = default;

NodeSockets::Changes NodeSockets::follow_addresses(const std::vector<IpAddress>& addresses) {
    Changes changes;
    problem_.reset();
    std::erase_if(sockets_, [&](const auto& socket) {
        const SocketAddress local = socket->local_address();
        const bool gone = std::ranges::find(addresses, local.ip) == addresses.end();
        if (gone) changes.closed.push_back(local);
        return gone;
    });
    for (const IpAddress& address : addresses) {
        if (sockets_.size() == connect::limits::most_hosts) break;
        if (is_open(address)) continue;
        if (auto socket = open(address)) {
            changes.opened.push_back(socket->local_address());
            sockets_.push_back(std::move(socket));
        }
    }
    std::ranges::stable_sort(sockets_, {}, [&](const auto& socket) {
        return std::ranges::find(addresses, socket->local_address().ip) - addresses.begin();
    });
    return changes;
}

// An address that is not usable (any more) makes no socket.
std::unique_ptr<drivers::UdpSocket> NodeSockets::open(const IpAddress& address) {
    drivers::UdpOptions options;
    options.fragmentation = drivers::UdpOptions::Fragmentation::Probe;
    auto socket = drivers::UdpSocket::open(loop_, {address, port_}, options);
    if (!socket && choice_ == PortChoice::Asked) {
        const bool is_away = socket.error().code == EADDRNOTAVAIL;
        if (!is_away) problem_ = std::move(socket.error());
        return nullptr;
    }
    if (!socket && port_.value != 0) {
        socket = drivers::UdpSocket::open(loop_, {address, Port{0}}, options);
    }
    if (!socket) return nullptr;
    if (port_.value == 0) port_ = (*socket)->local_address().port;
    (*socket)->on_datagrams(
        [this](std::span<const drivers::Datagram> batch) { on_datagrams_(batch); });
    return *std::move(socket);
}

bool NodeSockets::is_open(const IpAddress& address) const {
    return std::ranges::any_of(
        sockets_, [&](const auto& socket) { return socket->local_address().ip == address; });
}

std::vector<SocketAddress> NodeSockets::addresses() const {
    std::vector<SocketAddress> addresses;
    for (const auto& socket : sockets_) addresses.push_back(socket->local_address());
    return addresses;
}

drivers::UdpSocket* NodeSockets::find(const SocketAddress& local) const {
    const auto found = std::ranges::find(
        sockets_, local, [](const auto& socket) { return socket->local_address(); });
    return found == sockets_.end() ? nullptr : found->get();
}

}  // namespace stile::peer
