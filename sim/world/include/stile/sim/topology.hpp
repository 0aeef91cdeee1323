// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/sim/nat_behavior.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::sim {

struct HostId {
    std::uint32_t value = 0;
    friend auto operator<=>(HostId, HostId) = default;
};
struct NetworkId {
    std::uint32_t value = 0;
    friend auto operator<=>(NetworkId, NetworkId) = default;
};
struct BoxId {
    std::uint32_t value = 0;
    friend auto operator<=>(BoxId, BoxId) = default;
};

struct Probability {
    static constexpr std::uint32_t certain = 1'000'000;
    std::uint32_t per_million = 0;  // at most `certain`

    static constexpr Probability percent(std::uint32_t percent) { return {percent * 10'000}; }
};

// What happens to a datagram on one link, in either direction.
struct Link {
    Duration delay = std::chrono::milliseconds{5};
    Duration jitter{0};  // up to this much more, drawn for each datagram: hence reordering
    Probability loss;
    Probability duplication;
    std::size_t mtu = 1500;  // larger IP packets are lost: nothing is fragmented
};

enum class Udp : std::uint8_t { Allowed, Blocked };

// A router between an inside and an outside network. With `nat` it translates IPv4; what it does
// not translate it routes, through a stateful firewall if there is one.
struct Box {
    std::string name;
    NetworkId outside;
    NetworkId inside;                   // made by add_box
    std::optional<NatBehavior> nat;     // absent: routes IPv4 too
    IpAddress external;                 // meaningful with nat
    std::optional<Filtering> firewall;  // absent: open
    Duration firewall_lifetime = std::chrono::minutes{5};
    Udp udp = Udp::Allowed;  // streams pass in any case
    Link uplink;

    bool translates(AddressFamily family) const { return nat && family == AddressFamily::V4; }
};

struct Interface {
    NetworkId network;
    IpAddress address;
    Link link;
};

struct Host {
    std::string name;
    std::vector<Interface> interfaces;
};

// A tree of networks below the internet: what there is, without any state of a run. Addresses need
// to be unique only within a network and what is routed from it.
class Topology {
public:
    static constexpr NetworkId internet{0};

    // Requires: address is not on the network yet.
    HostId add_host(std::string name, NetworkId network, IpAddress address, Link link = {});
    void add_interface(HostId host, NetworkId network, IpAddress address, Link link = {});
    void remove_interface(HostId host, IpAddress address);
    // `box.inside` is ignored and set.
    BoxId add_box(Box box);

    // A NAT box in front of a new network.
    NetworkId add_nat(NetworkId outside, IpAddress external, NatBehavior behavior,
                      Link uplink = {});
    // A firewall in front of a new network.
    NetworkId add_firewall(NetworkId outside, std::optional<Filtering> filtering,
                           Udp udp = Udp::Allowed, Link uplink = {});

    const std::vector<Host>& hosts() const { return hosts_; }
    const std::vector<Box>& boxes() const { return boxes_; }
    const Host& host(HostId id) const { return hosts_.at(id.value); }
    const Box& box(BoxId id) const { return boxes_.at(id.value); }
    Box& box(BoxId id) { return boxes_.at(id.value); }
    // Nothing if the host has no such address.
    const Interface* interface_of(HostId id, const IpAddress& address) const;
    Interface* interface_of(HostId id, const IpAddress& address);

    // Who takes a packet for the address on this network: a host on it, or a box whose external
    // address it is or that routes to it.
    using NextHop = std::variant<std::monostate, HostId, BoxId>;
    NextHop next_hop(NetworkId network, const IpAddress& address) const;
    // The box that this network is inside of; none for the internet.
    std::optional<BoxId> gateway_of(NetworkId network) const;

private:
    std::vector<Host> hosts_;
    std::vector<Box> boxes_;
    std::vector<std::optional<BoxId>> gateways_{std::nullopt};  // by network
};

}  // namespace stile::sim
