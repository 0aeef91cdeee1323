// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/file_descriptor.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stile::drivers::kernel {

using MacAddress = std::array<std::uint8_t, 6>;

struct Link {
    int index = 0;
    std::string name;
    std::string kind;        // "veth", "vlan" ...; empty for hardware
    int parent = 0;          // whose frames these are, for a VLAN
    std::uint16_t type = 0;  // ARPHRD_
    std::uint32_t mtu = 0;
    std::uint32_t xdp_program = 0;  // id of what is attached, of anyone
    MacAddress address{};
    bool is_up = false;
};

struct Route {
    enum class Kind : std::uint8_t { Local, Unicast };
    Kind kind = Kind::Unicast;
    int interface = 0;
    IpAddress next_hop;     // the gateway, or the destination itself
    std::uint32_t mtu = 0;  // 0: the interface's
};

struct NeighbourKey {
    int interface = 0;
    IpAddress ip;
    friend auto operator<=>(const NeighbourKey&, const NeighbourKey&) = default;
};

struct Neighbour {
    NeighbourKey key;
    std::uint16_t state = 0;  // NUD_
    std::optional<MacAddress> address;
};

// Questions to rtnetlink and generic netlink, answered at once by the kernel.
class Netlink {
public:
    Netlink();

    std::vector<Link> links();
    std::vector<Neighbour> neighbours();
    // Of a packet that this host sends; empty where there is none that it could be sent on.
    std::optional<Route> route(const IpAddress& from, const IpAddress& to);
    // Has the neighbour resolved, or looked after when it has been silent.
    void use(const NeighbourKey& neighbour);
    // NETDEV_XDP_ACT_ bits; empty where the kernel does not tell.
    std::optional<std::uint64_t> xdp_features(int interface);

private:
    using OnMessage = std::function<void(std::uint16_t type, BytesView body)>;
    bool ask(int fd, Bytes& request, const OnMessage& on_message);

    FileDescriptor route_;
    FileDescriptor generic_;
    std::optional<std::uint16_t> netdev_family_;
};

// Follows what changes.
class NetlinkMonitor {
public:
    NetlinkMonitor();
    struct Changes {
        std::vector<Neighbour> neighbours;
        enum class Routes : std::uint8_t { Same, Changed } routes = Routes::Same;
        enum class Lost : std::uint8_t { Nothing, Some } lost = Lost::Nothing;
    };
    Changes poll();

private:
    FileDescriptor fd_;
};

}  // namespace stile::drivers::kernel
