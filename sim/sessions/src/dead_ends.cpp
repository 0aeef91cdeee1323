// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/sessions/dead_ends.hpp>

#include "scene_parts.hpp"

namespace stile::sim {
namespace {

void add_interfaces(Topology& topology, HostId host, std::vector<IpAddress>& addresses,
                    std::size_t wanted) {
    const NetworkId network = topology.host(host).interfaces.front().network;
    Bytes octets = to_bytes(addresses.front().octets());
    while (addresses.size() < wanted) {
        octets.back() = static_cast<std::byte>(std::to_integer<unsigned>(octets.back()) + 16U);
        addresses.push_back(IpAddress::from_octets(octets));
        topology.add_interface(host, network, addresses.back(), cable());
    }
}

}  // namespace

Scene with_interfaces(Scene scene, std::size_t of_each_side) {
    add_interfaces(scene.topology, scene.left, scene.left_addresses, of_each_side);
    add_interfaces(scene.topology, scene.right, scene.right_addresses, of_each_side);
    return scene;
}

Scene with_dead_ends(Scene scene, const DeadEnds& dead) {
    const auto server = [](std::uint8_t range, std::size_t number) {
        return SocketAddress{
            IpAddress::v4({198, 51, 100, static_cast<std::uint8_t>(range + number)}), Port{3478}};
    };
    for (std::size_t i = 0; i < dead.stun_servers; ++i) {
        scene.silent_stun_servers.push_back(server(200, i));
    }
    for (std::size_t i = 0; i < dead.turn_servers; ++i) {
        scene.silent_turn_servers.push_back(server(220, i));
    }
    scene.silent_servers = dead.order;
    for (std::size_t i = 0; i < dead.interfaces; ++i) {
        for (const bool is_left : {true, false}) {
            const bool is_shared = dead.addresses == DeadEnds::Addresses::Shared;
            const NetworkId nowhere =
                scene.topology.add_firewall(Topology::internet, std::nullopt, Udp::Blocked);
            const auto address =
                IpAddress::v4({10, static_cast<std::uint8_t>(is_left || is_shared ? 1 : 2),
                               static_cast<std::uint8_t>(i), 1});
            auto& addresses = is_left ? scene.left_addresses : scene.right_addresses;
            scene.topology.add_interface(is_left ? scene.left : scene.right, nowhere, address,
                                         cable());
            addresses.insert(dead.order == Order::First ? addresses.begin() : addresses.end(),
                             address);
        }
    }
    return scene;
}

}  // namespace stile::sim
