// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "switch_scenes.hpp"

#include "scene_parts.hpp"

#include <algorithm>

namespace stile::sim {
namespace {

constexpr Link no_delay{.delay = Duration::zero()};

enum class Reach : std::uint8_t { Public, Direct, Relayed };

Reach before(SwitchPlace place) {
    switch (place) {
        case SwitchPlace::Public:
            return Reach::Public;
        case SwitchPlace::DirectToDirect:
        case SwitchPlace::DirectToRelayed:
            return Reach::Direct;
        case SwitchPlace::RelayedToDirect:
        case SwitchPlace::RelayedToRelayed:
        case SwitchPlace::count:
            break;
    }
    return Reach::Relayed;
}

Reach after(SwitchPlace place) {
    switch (place) {
        case SwitchPlace::Public:
            return Reach::Public;
        case SwitchPlace::DirectToDirect:
        case SwitchPlace::RelayedToDirect:
            return Reach::Direct;
        case SwitchPlace::DirectToRelayed:
        case SwitchPlace::RelayedToRelayed:
        case SwitchPlace::count:
            break;
    }
    return Reach::Relayed;
}

struct Spot {
    std::string_view outside;
    std::string_view inside;
    std::string_view inside6;
};
constexpr Spot left_spot{"203.0.113.1", "192.168.1.2", "2001:db8:1::2"};
constexpr Spot right_spot{"203.0.113.2", "192.168.2.2", "2001:db8:2::2"};
constexpr Spot mobile_spot{"203.0.113.77", "10.9.9.2", "2001:db8:9::2"};

NatBehavior behavior_of(Mapping mapping) {
    return {.mapping = mapping,
            .filtering = Filtering::AddressAndPortDependent,
            .ports = PortAssignment::Random};
}

// The network of a spot, with the addresses that a host has there.
Uplink make_uplink(Topology& topology, const Spot& spot, Reach reach, const SwitchConfig& config) {
    const bool has_v4 = config.families != Families::V6;
    const bool has_v6 = config.families != Families::V4;
    const Link line{.delay = config.one_way / 2};
    Uplink uplink{.network = Topology::internet, .addresses = {}, .link = line};
    if (reach != Reach::Public) {
        Box box{.name = "edge", .outside = Topology::internet, .inside = {}};
        const bool maps_anew = reach == Reach::Relayed && !has_v6;
        if (has_v4) {
            box.nat = behavior_of(maps_anew ? Mapping::AddressAndPortDependent
                                            : Mapping::EndpointIndependent);
        }
        box.external = ip(spot.outside);
        box.firewall = Filtering::AddressAndPortDependent;
        if (reach == Reach::Relayed && has_v6) box.udp = Udp::StunOnly;
        box.uplink = line;
        uplink.network = topology.box(topology.add_box(box)).inside;
        uplink.link = no_delay;
    }
    if (has_v6) uplink.addresses.push_back(ip(spot.inside6));
    if (has_v4) {
        uplink.addresses.push_back(ip(reach == Reach::Public ? spot.outside : spot.inside));
    }
    return uplink;
}

HostId put(Topology& topology, std::string name, const Uplink& uplink) {
    const HostId host =
        topology.add_host(std::move(name), uplink.network, uplink.addresses.front(), uplink.link);
    for (std::size_t i = 1; i < uplink.addresses.size(); ++i) {
        topology.add_interface(host, uplink.network, uplink.addresses[i], uplink.link);
    }
    return host;
}

}  // namespace

SwitchScene make_switch_scene(const SwitchConfig& config) {
    SwitchScene result;
    Scene& scene = result.scene;
    Topology& topology = scene.topology;
    scene.name = "a switch";
    scene.server = topology.add_host("server", Topology::internet, ip("198.51.100.1"), no_delay);
    scene.server_sockets = {{ip("198.51.100.1"), stun_port}};
    if (config.families != Families::V4) {
        topology.add_interface(scene.server, Topology::internet, ip("2001:db8:ffff::1"), no_delay);
        scene.server_sockets.push_back({ip("2001:db8:ffff::1"), stun_port});
    }
    // The SIP server is where everybody reaches it.
    if (config.families == Families::V6) std::ranges::reverse(scene.server_sockets);
    const bool moves_left = config.mover == SwitchMover::Getting;
    const Reach stays = config.place == SwitchPlace::Public ? Reach::Public : Reach::Direct;
    const Reach moves = before(config.place);
    const Uplink left = make_uplink(topology, left_spot, moves_left ? moves : stays, config);
    const Uplink right = make_uplink(topology, right_spot, moves_left ? stays : moves, config);
    scene.left = put(topology, "left", left);
    scene.right = put(topology, "right", right);
    scene.left_addresses = left.addresses;
    scene.right_addresses = right.addresses;
    result.uplink = make_uplink(topology, mobile_spot, after(config.place), config);
    return result;
}

Scene after_switch(const SwitchScene& before, SwitchMover mover) {
    Scene scene = before.scene;
    const bool moves_left = mover == SwitchMover::Getting;
    const HostId host = moves_left ? scene.left : scene.right;
    std::vector<IpAddress>& addresses = moves_left ? scene.left_addresses : scene.right_addresses;
    for (const IpAddress& address : addresses) scene.topology.remove_interface(host, address);
    addresses = before.uplink.addresses;
    for (const IpAddress& address : addresses) {
        scene.topology.add_interface(host, before.uplink.network, address, before.uplink.link);
    }
    return scene;
}

}  // namespace stile::sim
