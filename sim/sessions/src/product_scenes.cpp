// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "product_scenes.hpp"

#include "scene_parts.hpp"

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

// RFC 4787 Section 4.3 asks for two minutes at least; many boxes have less.
constexpr Duration short_lifetime = 30s;

// Nothing for a public one.
std::optional<NatKind> kind_of(Edge edge, crypto::RandomStream& random) {
    using enum Filtering;
    switch (edge) {
        case Edge::Public:
        case Edge::count:
            return std::nullopt;
        case Edge::EiEi:
            return NatKind{Mapping::EndpointIndependent, EndpointIndependent};
        case Edge::EiAd:
            return NatKind{Mapping::EndpointIndependent, AddressDependent};
        case Edge::EiApd:
            return NatKind{Mapping::EndpointIndependent, AddressAndPortDependent};
        case Edge::Ad:
            return NatKind{Mapping::AddressDependent,
                           random.below(2) == 0 ? AddressDependent : AddressAndPortDependent};
        case Edge::ApdSequential:
        case Edge::ApdRandom:
            return NatKind{Mapping::AddressAndPortDependent, AddressAndPortDependent};
    }
    return std::nullopt;
}

std::optional<NatBehavior> behavior_of(Edge edge, crypto::RandomStream& random) {
    const auto kind = kind_of(edge, random);
    if (!kind) return std::nullopt;
    NatBehavior behavior = nat(*kind, random);
    if (edge == Edge::ApdSequential) behavior.ports = PortAssignment::Sequential;
    if (edge == Edge::ApdRandom) behavior.ports = PortAssignment::Random;
    return behavior;
}

// Where one side of a scene goes.
struct Spot {
    const char* outside;  // its address or its NAT's
    const char* inside;
    const char* inside6;
};
constexpr Spot left_spot{"203.0.113.1", "192.168.1.2", "2001:db8:1::2"};
constexpr Spot right_spot{"203.0.113.2", "192.168.1.2", "2001:db8:2::2"};

enum class Who : std::uint8_t { Left, Right };

// A host on the network, with the addresses in the order in which it prefers them.
void put(Scene& scene, Who who, NetworkId network, std::vector<std::string_view> addresses,
         const Link& link) {
    const auto put_first = who == Who::Left ? put_left : put_right;
    put_first(scene, network, addresses.front(), link);
    auto& own = who == Who::Left ? scene.left_addresses : scene.right_addresses;
    const HostId host = who == Who::Left ? scene.left : scene.right;
    for (std::size_t i = 1; i < addresses.size(); ++i) {
        own.push_back(ip(addresses[i]));
        scene.topology.add_interface(host, network, own.back(), link);
    }
}

// A host behind its edge.
void put_behind(Scene& scene, Who who, Edge edge, Families families, crypto::RandomStream& random,
                Weather weather, NetworkId outside = Topology::internet) {
    const Spot spot = who == Who::Left ? left_spot : right_spot;
    const auto behavior = behavior_of(edge, random);
    const Link uplink = line(random, weather);
    Box box{.name = "edge", .outside = outside, .inside = {}, .uplink = uplink};
    if (behavior) box.firewall = behavior->filtering;
    box.external = ip(spot.outside);
    switch (families) {
        case Families::V4:
            if (!behavior) return put(scene, who, outside, {spot.outside}, uplink);
            box.nat = behavior;
            box.firewall.reset();
            break;
        case Families::V6:
            if (!behavior) return put(scene, who, outside, {spot.inside6}, uplink);
            break;
        case Families::Dual:
            if (!behavior) {
                return put(scene, who, outside, {spot.inside6, spot.outside}, uplink);
            }
            box.nat = behavior;
            break;
        case Families::Nat64:
            box.nat64 =
                Nat64{.behavior = behavior.value_or(nat(
                          {Mapping::EndpointIndependent, Filtering::EndpointIndependent}, random))};
            // Some networks have a prefix of their own.
            if (random.below(2) == 0) {
                box.nat64->prefix = TranslationPrefix{ip("2001:db8:64::")};
            }
            (who == Who::Left ? scene.left_prefix : scene.right_prefix) = box.nat64->prefix;
            break;
        case Families::count:
            return;
    }
    const NetworkId inside = scene.topology.box(scene.topology.add_box(box)).inside;
    switch (families) {
        case Families::V4:
            return put(scene, who, inside, {spot.inside}, cable());
        case Families::V6:
        case Families::Nat64:
            return put(scene, who, inside, {spot.inside6}, cable());
        case Families::Dual:
            return put(scene, who, inside, {spot.inside6, spot.inside}, cable());
        case Families::count:
            return;
    }
}

Scene start(const Cell& cell) {
    Scene scene =
        scene_with_server(std::string{cell.section} + ", " + cell.row + " and " + cell.column);
    scene.transports = cell.transports;
    return scene;
}

// The internet, or a router before it that does not let everything pass.
NetworkId outside_of(Scene& scene, const Cell& cell, Who who) {
    const Udp udp = who == Who::Left ? cell.left_udp : cell.right_udp;
    const Tcp tcp = who == Who::Left ? cell.left_tcp : cell.right_tcp;
    if (udp == Udp::Allowed && tcp == Tcp::Allowed) return Topology::internet;
    Topology& topology = scene.topology;
    const BoxId router = topology.add_box({.name = "blocks",
                                           .outside = Topology::internet,
                                           .inside = {},
                                           .udp = udp,
                                           .tcp = tcp,
                                           .uplink = cable()});
    return topology.box(router).inside;
}

void answer_syns(Scene& scene, const Cell& cell) {
    for (std::uint32_t i = 0; i < scene.topology.boxes().size(); ++i) {
        scene.topology.box(BoxId{i}).unexpected_syn = cell.unexpected_syn;
    }
}

void give_server_v6(Scene& scene) {
    scene.topology.add_interface(scene.server, Topology::internet, ip("2001:db8:ffff::1"), cable());
    scene.server_sockets.push_back({ip("2001:db8:ffff::1"), stun_port});
}

// Who begins the exchange is controlling, and it should not matter.
void turn_over(Scene& scene, std::uint64_t seed) {
    if (seed / 2 % 2 == 0) return;
    std::swap(scene.left, scene.right);
    std::swap(scene.left_addresses, scene.right_addresses);
    std::swap(scene.left_prefix, scene.right_prefix);
}

Edge any_edge(crypto::RandomStream& random) {
    return static_cast<Edge>(draw(random, 1, static_cast<std::uint32_t>(Edge::count) - 1));
}

}  // namespace

Scene make_pair(const Cell& cell, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = start(cell);
    const bool has_nat64 = cell.families == Families::Nat64;
    if (cell.families == Families::V6 || cell.families == Families::Dual) give_server_v6(scene);
    put_behind(scene, Who::Left, cell.left, cell.families, random, weather,
               outside_of(scene, cell, Who::Left));
    put_behind(scene, Who::Right, cell.right, has_nat64 ? Families::V4 : cell.families, random,
               weather, outside_of(scene, cell, Who::Right));
    answer_syns(scene, cell);
    turn_over(scene, seed);
    return scene;
}

Scene make_ipv6_only(const Cell& cell, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = start(cell);
    const auto kind = static_cast<Ipv6Only>(cell.variant);
    const bool has_nat64 = kind != Ipv6Only::NoNat64;
    if (kind == Ipv6Only::DualStack || !has_nat64 || random.below(2) == 0) give_server_v6(scene);
    put_behind(scene, Who::Left, cell.left, has_nat64 ? Families::Nat64 : Families::V6, random,
               weather);
    switch (kind) {
        case Ipv6Only::SameNat64:
            put(scene, Who::Right, scene.topology.boxes().back().inside, {"2001:db8:1::3"},
                cable());
            scene.right_prefix = scene.left_prefix;
            break;
        case Ipv6Only::OtherNat64:
            put_behind(scene, Who::Right, cell.right, Families::Nat64, random, weather);
            break;
        case Ipv6Only::DualStack:
            put_behind(scene, Who::Right, cell.right, Families::Dual, random, weather);
            break;
        case Ipv6Only::NoNat64:
            put_behind(scene, Who::Right, cell.right, Families::V4, random, weather);
            break;
        case Ipv6Only::count:
            break;
    }
    turn_over(scene, seed);
    return scene;
}

// The left home is behind a carrier's NAT as well.
Scene make_double_nat(const Cell& cell, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = start(cell);
    Topology& topology = scene.topology;
    const NetworkId carrier =
        topology.add_nat(outside_of(scene, cell, Who::Left), ip("203.0.113.1"),
                         *behavior_of(cell.left, random), line(random, weather));
    const NetworkId home = topology.add_nat(carrier, ip("100.64.0.1"),
                                            *behavior_of(any_edge(random), random), cable());
    put(scene, Who::Left, home, {"192.168.1.2"}, cable());
    put_behind(scene, Who::Right, cell.right, Families::V4, random, weather,
               outside_of(scene, cell, Who::Right));
    turn_over(scene, seed);
    return scene;
}

Scene make_same_home(const Cell& cell, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = start(cell);
    NatBehavior behavior = *behavior_of(cell.left, random);
    behavior.hairpin = cell.hairpin;
    const NetworkId inside = scene.topology.add_nat(Topology::internet, ip("203.0.113.1"), behavior,
                                                    line(random, weather));
    put(scene, Who::Left, inside, {"192.168.1.2"}, cable());
    put(scene, Who::Right, inside, {"192.168.1.3"}, cable());
    return scene;
}

// Two homes behind one carrier's NAT: directly only through its hairpin.
Scene make_same_carrier(const Cell& cell, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = start(cell);
    Topology& topology = scene.topology;
    NatBehavior behavior = *behavior_of(cell.left, random);
    behavior.hairpin = cell.hairpin;
    const NetworkId carrier =
        topology.add_nat(Topology::internet, ip("203.0.113.1"), behavior, line(random, weather));
    const auto home = [&](const char* outside) {
        const NetworkId inside =
            topology.add_nat(carrier, ip(outside), *behavior_of(any_edge(random), random), cable());
        topology.box(*topology.gateway_of(inside)).udp = cell.left_udp;
        return inside;
    };
    put(scene, Who::Left, home("100.64.0.1"), {"192.168.1.2"}, cable());
    put(scene, Who::Right, home("100.64.0.2"), {"192.168.1.2"}, cable());
    return scene;
}

Scene make_expiring(const Cell& cell, std::uint64_t seed, Weather weather) {
    Scene scene = make_pair(cell, seed, weather);
    for (std::uint32_t i = 0; i < scene.topology.boxes().size(); ++i) {
        Box& box = scene.topology.box(BoxId{i});
        if (!box.nat) continue;
        box.nat->refresh = cell.refresh;
        box.nat->lifetime = short_lifetime;
    }
    return scene;
}

// Firewalls that let UDP through to port 3478 alone.
Scene make_stun_only(const Cell& cell, std::uint64_t seed, Weather weather) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    Scene scene = start(cell);
    const auto office = [&] {
        return scene.topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent,
                                           Udp::StunOnly, line(random, weather));
    };
    put(scene, Who::Left, office(), {"203.0.113.1"}, cable());
    if (cell.variant == 0) {
        put_behind(scene, Who::Right, cell.right, Families::V4, random, weather);
    } else {
        put_behind(scene, Who::Right, cell.right, Families::V4, random, weather, office());
    }
    turn_over(scene, seed);
    return scene;
}

Scene make_alg(const Cell& cell, std::uint64_t seed, Weather weather) {
    Scene scene = make_pair(cell, seed, weather);
    for (std::uint32_t i = 0; i <= cell.variant; ++i) {
        scene.topology.box(BoxId{i}).alg = Alg::RewritesAddresses;
    }
    return scene;
}

}  // namespace stile::sim
