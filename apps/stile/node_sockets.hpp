// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace stile::peer {

// The UDP sockets of a node, one at each of this host's addresses, which all of its sessions share.
// They have the same port where it is free: the one that was asked for, or the first that the
// system chose, which stays the node's when addresses go and come.
class NodeSockets {
public:
    // Once a batch.
    using OnDatagrams = std::move_only_function<void(std::span<const drivers::Datagram>)>;
    NodeSockets(drivers::Loop& loop, std::optional<Port> port, OnDatagrams on_datagrams);
    NodeSockets(const NodeSockets&) = delete;
    NodeSockets& operator=(const NodeSockets&) = delete;
    ~NodeSockets();

    // The host's addresses are these now, best first: opens sockets where there is none, closes
    // those whose address is gone. With a port that was asked for there is no socket where somebody
    // else has it.
    struct Changes {
        std::vector<SocketAddress> opened;
        std::vector<SocketAddress> closed;
    };
    Changes follow_addresses(const std::vector<IpAddress>& addresses);
    bool is_port_asked() const { return choice_ == PortChoice::Asked; }
    // Why the port that was asked for could not be had, the last time.
    const std::optional<drivers::OsError>& problem() const { return problem_; }

    // Best first, at most connect::limits::most_hosts.
    std::vector<SocketAddress> addresses() const;
    // Valid until the next follow_addresses(); null where there is none.
    drivers::UdpSocket* find(const SocketAddress& local) const;

private:
    std::unique_ptr<drivers::UdpSocket> open(const IpAddress& address);
    bool is_open(const IpAddress& address) const;

    drivers::Loop& loop_;
    enum class PortChoice : std::uint8_t { Asked, Free } choice_;
    Port port_;  // 0: not chosen yet
    OnDatagrams on_datagrams_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> sockets_;
    std::optional<drivers::OsError> problem_;
};

}  // namespace stile::peer
