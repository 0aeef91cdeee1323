// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scene_parts.hpp"

#include <stile/sim/sessions/setup_run.hpp>

namespace stile::sim {
namespace {

constexpr Link no_delay{.delay = Duration::zero()};
constexpr NatKind cone{Mapping::EndpointIndependent, Filtering::AddressAndPortDependent};
constexpr NatKind open_cone{Mapping::EndpointIndependent, Filtering::EndpointIndependent};
constexpr NatKind symmetric{Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent};

NetworkId home(Scene& scene, std::string_view outside, const std::optional<NatKind>& kind) {
    if (!kind) return Topology::internet;
    return scene.topology.add_nat(
        Topology::internet, ip(outside),
        {.mapping = kind->mapping, .filtering = kind->filtering, .ports = PortAssignment::Random},
        no_delay);
}

Scene two(SetupPlace place, const Link& link, const std::optional<NatKind>& left,
          const std::optional<NatKind>& right) {
    Scene scene;
    scene.name = std::string{to_string(place)};
    scene.server =
        scene.topology.add_host("server", Topology::internet, ip("198.51.100.1"), no_delay);
    scene.server_sockets = {{ip("198.51.100.1"), Port{3478}}};
    put_left(scene, home(scene, "203.0.113.1", left), left ? "192.168.1.2" : "203.0.113.1", link);
    put_right(scene, home(scene, "203.0.113.2", right), right ? "192.168.2.2" : "203.0.113.2",
              link);
    return scene;
}

void add_hosts(Scene& scene, HostId host, std::vector<IpAddress>& addresses, const Link& link) {
    for (std::uint8_t i = 0; i < 3; ++i) {
        auto octets = to_bytes(addresses.front().octets());
        octets[3] = static_cast<std::byte>(10 + i);
        addresses.push_back(IpAddress::from_octets(octets));
        const NetworkId network = scene.topology.host(host).interfaces.front().network;
        scene.topology.add_interface(host, network, addresses.back(), link);
    }
}

}  // namespace

std::string_view to_string(SetupPlace place) {
    switch (place) {
        case SetupPlace::BothPublic:
            return "both public";
        case SetupPlace::OneCone:
            return "one behind a cone";
        case SetupPlace::BothCone:
            return "both behind cones";
        case SetupPlace::LenientCone:
            return "symmetric and an open cone";
        case SetupPlace::Symmetric:
            return "symmetric and a cone";
        case SetupPlace::BothSymmetric:
            return "both symmetric";
        case SetupPlace::ManyHosts:
            return "cones, four addresses each";
        case SetupPlace::count:
            break;
    }
    return "";
}

Scene make_setup_scene(SetupPlace place, Duration one_way) {
    const Link link{.delay = one_way / 2};
    switch (place) {
        case SetupPlace::BothPublic:
        case SetupPlace::count:
            return two(place, link, {}, {});
        case SetupPlace::OneCone:
            return two(place, link, cone, {});
        case SetupPlace::BothCone:
            return two(place, link, cone, cone);
        case SetupPlace::LenientCone:
            return two(place, link, symmetric, open_cone);
        case SetupPlace::Symmetric:
            return two(place, link, symmetric, cone);
        case SetupPlace::BothSymmetric:
            return two(place, link, symmetric, symmetric);
        case SetupPlace::ManyHosts: {
            Scene scene = two(place, link, cone, cone);
            add_hosts(scene, scene.left, scene.left_addresses, link);
            add_hosts(scene, scene.right, scene.right_addresses, link);
            return scene;
        }
    }
    return two(place, link, {}, {});
}

}  // namespace stile::sim
