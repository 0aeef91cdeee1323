// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/sessions/scene.hpp>

#include "scene_parts.hpp"

namespace stile::sim {
namespace {

void make_same_carrier(Scene& scene, crypto::RandomStream& random, Weather weather) {
    Topology& topology = scene.topology;
    const NatKind carrier = any_kind(random);
    const NatKind one = any_kind(random);
    const NatKind two = any_kind(random);
    scene.name += " " + to_string(carrier) + " over " + to_string(one) + " and " + to_string(two);
    const NetworkId outside = topology.add_nat(Topology::internet, ip("203.0.113.1"),
                                               nat(carrier, random), line(random, weather));
    put_left(scene,
             topology.add_nat(outside, ip("100.64.0.1"), nat(one, random), line(random, weather)),
             "192.168.1.2", cable());
    put_right(scene,
              topology.add_nat(outside, ip("100.64.0.2"), nat(two, random), line(random, weather)),
              "192.168.1.3", cable());
}

void make_dual_stack(Scene& scene, crypto::RandomStream& random, Weather weather) {
    constexpr NatKind hard{Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent};
    Topology& topology = scene.topology;
    topology.add_interface(scene.server, Topology::internet, ip("2001:db8:ffff::1"), cable());
    scene.server_sockets.push_back({ip("2001:db8:ffff::1"), Port{3478}});
    const auto home = [&](const char* name, const char* outside) {
        const BoxId box = topology.add_box({
            .name = name,
            .outside = Topology::internet,
            .inside = {},
            .nat = nat(hard, random),
            .external = ip(outside),
            .firewall = Filtering::AddressAndPortDependent,
            .uplink = line(random, weather),
        });
        return topology.box(box).inside;
    };
    put_left(scene, home("left", "203.0.113.1"), "192.168.1.2", cable());
    put_right(scene, home("right", "203.0.113.2"), "192.168.1.2", cable());
    const NetworkId left = topology.host(scene.left).interfaces.front().network;
    const NetworkId right = topology.host(scene.right).interfaces.front().network;
    scene.left_addresses.push_back(ip("2001:db8:1::2"));
    scene.right_addresses.push_back(ip("2001:db8:2::2"));
    topology.add_interface(scene.left, left, scene.left_addresses.back(), cable());
    topology.add_interface(scene.right, right, scene.right_addresses.back(), cable());
}

}  // namespace

std::vector<NatKind> nat_kinds() {
    std::vector<NatKind> kinds;
    for (const Mapping mapping : mappings) {
        for (const Filtering filtering : filterings) kinds.push_back({mapping, filtering});
    }
    return kinds;
}

std::string to_string(NatKind kind) {
    constexpr std::array names{"EI", "AD", "APD"};
    return std::string{names.at(static_cast<std::size_t>(kind.mapping))} + '/' +
           names.at(static_cast<std::size_t>(kind.filtering));
}

std::string_view to_string(Place place) {
    switch (place) {
        case Place::BothPublic:
            return "both public";
        case Place::OnePublic:
            return "one public";
        case Place::SameHome:
            return "the same home";
        case Place::SameCarrier:
            return "the same carrier";
        case Place::Firewalls:
            return "firewalls";
        case Place::DualStack:
            return "dual stack";
        case Place::BlockedBetween:
            return "blocked between";
        case Place::count:
            break;
    }
    return "";
}

Scene two_homes(NatKind left, NatKind right, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = scene_with_server(to_string(left) + " and " + to_string(right));
    Topology& topology = scene.topology;
    put_left(scene,
             topology.add_nat(Topology::internet, ip("203.0.113.1"), nat(left, random),
                              line(random, weather)),
             "192.168.1.2", cable());
    put_right(scene,
              topology.add_nat(Topology::internet, ip("203.0.113.2"), nat(right, random),
                               line(random, weather)),
              random.below(2) == 0 ? "192.168.1.2" : "192.168.1.3", cable());
    return scene;
}

Scene two_homes(const NatBehavior& left, const NatBehavior& right, std::uint64_t seed) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = scene_with_server("two NATs that are known");
    scene.server_sockets.push_back({ip("198.51.100.1"), Port{3479}});
    Topology& topology = scene.topology;
    put_left(
        scene,
        topology.add_nat(Topology::internet, ip("203.0.113.1"), left, line(random, Weather::Fair)),
        "192.168.1.2", cable());
    put_right(
        scene,
        topology.add_nat(Topology::internet, ip("203.0.113.2"), right, line(random, Weather::Fair)),
        "192.168.2.2", cable());
    return scene;
}

Scene make_place(Place place, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = scene_with_server(std::string{to_string(place)});
    Topology& topology = scene.topology;
    const auto home = [&](NatKind kind, const char* outside) {
        return topology.add_nat(Topology::internet, ip(outside), nat(kind, random),
                                line(random, weather));
    };
    constexpr NatKind easy{Mapping::EndpointIndependent, Filtering::EndpointIndependent};
    switch (place) {
        case Place::BothPublic:
            put_left(scene, Topology::internet, "203.0.113.1", line(random, weather));
            put_right(scene, Topology::internet, "203.0.113.2", line(random, weather));
            break;
        case Place::OnePublic: {
            const NatKind kind = any_kind(random);
            scene.name += " " + to_string(kind);
            put_left(scene, home(kind, "203.0.113.1"), "192.168.1.2", cable());
            put_right(scene, Topology::internet, "203.0.113.2", line(random, weather));
            break;
        }
        case Place::SameHome: {
            const NatKind kind = any_kind(random);
            scene.name += " " + to_string(kind);
            const NetworkId inside = home(kind, "203.0.113.1");
            put_left(scene, inside, "192.168.1.2", cable());
            put_right(scene, inside, "192.168.1.3", cable());
            break;
        }
        case Place::SameCarrier:
            make_same_carrier(scene, random, weather);
            break;
        case Place::Firewalls:
            put_left(scene,
                     topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent,
                                           Udp::Allowed, line(random, weather)),
                     "203.0.113.1", cable());
            put_right(scene,
                      topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent,
                                            Udp::Allowed, line(random, weather)),
                      "203.0.113.2", cable());
            break;
        case Place::DualStack:
            make_dual_stack(scene, random, weather);
            break;
        case Place::BlockedBetween:
            put_left(scene, home(easy, "203.0.113.1"), "192.168.1.2", cable());
            put_right(scene, home(easy, "203.0.113.2"), "192.168.1.3", cable());
            scene.middle = Middle::Blocked;
            break;
        case Place::count:
            break;
    }
    return scene;
}

Scene tcp_peer_scene(TcpPeer does, std::uint64_t seed) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    const bool listens = does == TcpPeer::Listens;
    Scene scene = scene_with_server(listens ? "a TCP peer that listens" : "a TCP peer that opens");
    scene.transports = Transports::UdpAndTcp;
    const auto firewall = [&](Udp udp) {
        return scene.topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent,
                                           udp, line(random, Weather::Fair));
    };
    const NetworkId strict = firewall(Udp::Blocked);
    scene.topology.box(BoxId{0}).tcp = Tcp::HttpsOnly;
    const NetworkId theirs = listens ? Topology::internet : firewall(Udp::Allowed);
    const bool is_right = random.below(2) == 0;
    const Link open = listens ? line(random, Weather::Fair) : cable();
    if (is_right) {
        put_left(scene, strict, "203.0.113.1", cable());
        put_right(scene, theirs, "203.0.113.2", open);
    } else {
        put_left(scene, theirs, "203.0.113.2", open);
        put_right(scene, strict, "203.0.113.1", cable());
    }
    scene.tcp_peer = Scene::TcpPeerAt{is_right ? scene.right : scene.left, does};
    return scene;
}

Scene blocked_home(std::uint64_t seed) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = scene_with_server("one host's UDP is blocked");
    put_left(scene,
             scene.topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent,
                                         Udp::Blocked, line(random, Weather::Fair)),
             "203.0.113.1", cable());
    put_right(scene, Topology::internet, "203.0.113.2", line(random, Weather::Fair));
    return scene;
}

}  // namespace stile::sim
