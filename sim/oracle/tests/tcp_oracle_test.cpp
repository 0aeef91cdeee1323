// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/oracle.hpp>
#include <stile/sim/world.hpp>

#include <doctest/doctest.h>
#include <array>
#include <map>
#include <vector>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

constexpr Mapping mappings[] = {Mapping::EndpointIndependent, Mapping::AddressDependent,
                                Mapping::AddressAndPortDependent};
constexpr Filtering filterings[] = {Filtering::EndpointIndependent, Filtering::AddressDependent,
                                    Filtering::AddressAndPortDependent};

std::vector<NatBehavior> nine() {
    std::vector<NatBehavior> all;
    for (const Mapping mapping : mappings) {
        for (const Filtering filtering : filterings) {
            all.push_back({.mapping = mapping,
                           .filtering = filtering,
                           .ports = PortAssignment::Random,
                           .hairpin = Hairpin::None});
        }
    }
    return all;
}

struct Homes {
    Topology topology;
    HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    HostId left{};
    HostId right{};

    // No UDP passes either.
    HostId put(const char* outside, const NatBehavior& behavior) {
        const NetworkId inside = topology.add_nat(Topology::internet, ip(outside), behavior);
        topology.box(*topology.gateway_of(inside)).udp = Udp::Blocked;
        return topology.add_host("host", inside, ip("192.168.1.2"));
    }
};

constexpr Port accepting{5001};
constexpr Port opening{5002};

// What RFC 6544 does, with SYNs in a world: both ports of both sides ask the server how they look,
// then every pair is tried.
bool syns_find_a_path(const Homes& homes, std::uint64_t seed) {
    World world{homes.topology, seed};
    const SocketAddress service{ip("198.51.100.1"), stun_port};
    world.listen(homes.server, service);
    std::map<StreamId, std::pair<HostId, Port>> asked;
    for (const HostId host : {homes.left, homes.right}) {
        for (const Port port : {accepting, opening}) {
            const SocketAddress own{ip("192.168.1.2"), port};
            world.listen(host, own);
            asked[world.connect(host, {own, service})] = {host, port};
        }
    }
    std::map<std::pair<HostId, Port>, SocketAddress> seen;
    world.run_until(world.now() + 1s, [&](const Happening& happening) {
        if (const auto* const accepted = std::get_if<StreamAccepted>(&happening)) {
            seen[asked.at(accepted->stream)] = accepted->path.remote;
        }
    });
    REQUIRE(seen.size() == 4);
    for (const auto& [host, other] :
         {std::pair{homes.left, homes.right}, {homes.right, homes.left}}) {
        world.connect(host, {{ip("192.168.1.2"), opening}, seen.at({other, opening})});
        world.connect(host, {{ip("192.168.1.2"), Port{9000}}, seen.at({other, accepting})});
    }
    bool found = false;
    world.run_until(world.now() + 20s, [&](const Happening& happening) {
        found = found || std::holds_alternative<StreamOpened>(happening);
    });
    return found;
}

TEST_CASE("sim oracle: agrees with SYNs for every pair of NATs") {
    std::size_t possible = 0;
    for (const NatBehavior& one : nine()) {
        for (const NatBehavior& two : nine()) {
            Homes homes;
            homes.left = homes.put("203.0.113.1", one);
            homes.right = homes.put("203.0.113.2", two);
            const BestPath path = best_path(homes.topology, homes.left, homes.right, homes.server,
                                            Transports::UdpAndTcp);
            const bool is_direct = path.kind == PathKind::TcpReflexive;
            CHECK((is_direct || path.kind == PathKind::RelayedByBoth));
            CHECK(syns_find_a_path(homes, 1) == is_direct);
            possible += is_direct ? 1U : 0U;
        }
    }
    CHECK(possible > 9);
    CHECK(possible < 81);
}

TEST_CASE("sim oracle: UDP before TCP, TCP before a relay, and nothing where nothing passes") {
    const auto best = [](Udp udp, Tcp tcp, Transports transports) {
        Topology topology;
        const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
        const BoxId box = topology.add_box({.name = "office",
                                            .outside = Topology::internet,
                                            .inside = {},
                                            .udp = udp,
                                            .tcp = tcp,
                                            .uplink = {}});
        const HostId left = topology.add_host("left", topology.box(box).inside, ip("203.0.113.1"));
        const HostId right = topology.add_host("right", Topology::internet, ip("203.0.113.2"));
        return best_path(topology, left, right, server, transports);
    };
    using enum PathKind;
    const auto both = Transports::UdpAndTcp;
    CHECK(best(Udp::Allowed, Tcp::Allowed, both) == BestPath{Host, Passage::V4});
    CHECK(best(Udp::Blocked, Tcp::Allowed, both) == BestPath{TcpHost, Passage::V4});
    CHECK(best(Udp::Blocked, Tcp::HttpsOnly, both) == BestPath{RelayedByOne, {}});
    CHECK(best(Udp::StunOnly, Tcp::Blocked, both) == BestPath{RelayedByOne, {}});
    CHECK(best(Udp::Blocked, Tcp::Blocked, both) == BestPath{});
    CHECK(best(Udp::Blocked, Tcp::Allowed, Transports::UdpOnly) == BestPath{});
    CHECK(Host > Reflexive);
    CHECK(Reflexive > TcpHost);
    CHECK(TcpReflexive > RelayedByOne);
}

// Without a firewall a side is on the internet itself.
BestPath to_tcp_peer(TcpPeer does, std::optional<Tcp> our_firewall,
                     std::optional<NatBehavior> their_nat, bool they_have_firewall) {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    NetworkId ours = Topology::internet;
    if (our_firewall) {
        const BoxId box = topology.add_box({.name = "office",
                                            .outside = Topology::internet,
                                            .inside = {},
                                            .udp = Udp::Blocked,
                                            .tcp = *our_firewall,
                                            .uplink = {}});
        ours = topology.box(box).inside;
    }
    NetworkId theirs = Topology::internet;
    if (their_nat) theirs = topology.add_nat(Topology::internet, ip("203.0.113.2"), *their_nat);
    if (they_have_firewall) {
        theirs = topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent);
    }
    const HostId side = topology.add_host("side", ours, ip("203.0.113.1"));
    const HostId peer =
        topology.add_host("peer", theirs, ip(their_nat ? "192.168.1.2" : "203.0.113.3"));
    return best_path_to_tcp_peer(topology, side, peer, does, server);
}

TEST_CASE("sim oracle: a TCP peer is met directly, else by the relay, and behind a NAT by nobody") {
    using enum PathKind;
    const BestPath none{};
    const BestPath direct{TcpHost, Passage::V4};
    const BestPath relayed{RelayedByOne, {}};
    for (const TcpPeer does : {TcpPeer::Listens, TcpPeer::Opens}) {
        const bool listens = does == TcpPeer::Listens;
        CHECK(to_tcp_peer(does, {}, {}, false) == direct);
        CHECK(to_tcp_peer(does, Tcp::HttpsOnly, {}, false) == relayed);
        CHECK(to_tcp_peer(does, Tcp::Blocked, {}, false) == none);
        // Who listens behind a firewall is reached by nobody; who opens reaches the relay.
        CHECK(to_tcp_peer(does, Tcp::HttpsOnly, {}, true) == (listens ? none : relayed));
        // Its public address nobody was told.
        CHECK(to_tcp_peer(does, Tcp::HttpsOnly, NatBehavior{}, false) == none);
    }
}

}  // namespace
}  // namespace stile::sim
