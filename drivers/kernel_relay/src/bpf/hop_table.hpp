// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netlink.hpp"
#include "programs.hpp"

#include <deque>
#include <map>

namespace stile::drivers::kernel {

// Where packets from one address to another are handed to: kept right while routes and neighbours
// change. Slot 0 is nowhere.
class HopTable {
public:
    explicit HopTable(std::span<relay_hop> hops);

    // Interfaces that transmit what XDP redirects to them.
    void set_xdp_interfaces(std::vector<int> interfaces) { takes_xdp_ = std::move(interfaces); }

    // A slot, shared by all who ask for the same; 0 where all are taken.
    std::uint32_t acquire(const IpAddress& from, const IpAddress& to);
    void release(std::uint32_t slot);

    // Follows what changed; from time to time asks the kernel to look after the neighbours in use.
    void tend(Instant now);

    Netlink& netlink() { return netlink_; }

private:
    struct Ends {
        IpAddress from, to;
        friend auto operator<=>(const Ends&, const Ends&) = default;
    };
    struct Hop {
        Ends ends;
        std::size_t users = 0;
        std::optional<Route> route;
    };

    void follow();
    void resolve(std::uint32_t slot);
    void write(std::uint32_t slot);
    void read_links();
    void read_neighbours();
    void look_after_neighbours();

    std::span<relay_hop> memory_;
    Netlink netlink_;
    NetlinkMonitor monitor_;
    std::vector<int> takes_xdp_;
    std::map<int, Link> links_;
    std::map<NeighbourKey, Neighbour> neighbours_;
    std::map<Ends, std::uint32_t> slots_;
    std::vector<Hop> hops_;
    std::deque<std::uint32_t> free_;
    std::deque<std::uint32_t> to_resolve_;
    std::optional<Instant> looked_after_;
};

}  // namespace stile::drivers::kernel
