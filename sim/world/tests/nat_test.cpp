// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::sim {
namespace {

using namespace test;

constexpr std::string_view inner = "192.168.1.2:5000";

TEST_CASE("sim nat: mapping decides when another destination gets the same outside port") {
    struct Row {
        Mapping mapping;
        bool same_for_other_port;
        bool same_for_other_address;
    };
    const Row rows[] = {
        {Mapping::EndpointIndependent, true, true},
        {Mapping::AddressDependent, true, false},
        {Mapping::AddressAndPortDependent, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.mapping));
        Home home{{.mapping = row.mapping}};
        World world{home.topology, 1};
        const auto base = seen(world, home.first, inner, "198.51.100.1:1000");
        CHECK(base.ip == ip("203.0.113.1"));
        CHECK((seen(world, home.first, inner, "198.51.100.1:1001") == base) ==
              row.same_for_other_port);
        CHECK((seen(world, home.first, inner, "198.51.100.2:1000") == base) ==
              row.same_for_other_address);
        CHECK(seen(world, home.first, inner, "198.51.100.1:1000") == base);
    }
}

TEST_CASE("sim nat: filtering decides who may answer") {
    struct Row {
        Filtering filtering;
        bool other_port;
        bool other_address;
    };
    const Row rows[] = {
        {Filtering::EndpointIndependent, true, true},
        {Filtering::AddressDependent, true, false},
        {Filtering::AddressAndPortDependent, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.filtering));
        Home home{{.filtering = row.filtering}};
        World world{home.topology, 1};
        const auto outside = seen(world, home.first, inner, "198.51.100.1:1000");
        const auto back = deliver(world, home.server, "198.51.100.1:1000", outside);
        REQUIRE(back.size() == 1);
        CHECK(back.front().host == home.first);
        CHECK(back.front().path == Path{at(inner), at("198.51.100.1:1000")});
        CHECK(deliver(world, home.server, "198.51.100.1:1001", outside).size() ==
              (row.other_port ? 1 : 0));
        CHECK(deliver(world, home.other, "198.51.100.2:1000", outside).size() ==
              (row.other_address ? 1 : 0));
        CHECK(world.dropped(DropReason::Filtered) ==
              (row.other_port ? 0U : 1U) + (row.other_address ? 0U : 1U));
    }
}

TEST_CASE("sim nat: what nobody inside has asked for does not come in") {
    Home home{{.filtering = Filtering::EndpointIndependent}};
    World world{home.topology, 1};
    CHECK(deliver(world, home.server, "198.51.100.1:1000", at("203.0.113.1:5000")).empty());
    CHECK(world.dropped(DropReason::NoMapping) == 1);
    CHECK(deliver(world, home.server, "198.51.100.1:1000", at(inner)).empty());
    CHECK(world.dropped(DropReason::NoRoute) == 1);
}

TEST_CASE("sim nat: a mapping lives for its lifetime after the last packet that refreshes it") {
    struct Row {
        Refresh refresh;
        bool outbound_keeps;
        bool inbound_keeps;
    };
    const Row rows[] = {
        {Refresh::Outbound, true, false},
        {Refresh::Inbound, false, true},
        {Refresh::Both, true, true},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.refresh));
        for (const bool outbound : {true, false}) {
            CAPTURE(outbound);
            Home home{{.refresh = row.refresh, .lifetime = 60s}};
            World world{home.topology, 1};
            const auto outside = seen(world, home.first, inner, "198.51.100.1:1000");
            for (int i = 0; i < 2; ++i) {
                CHECK_FALSE(world.step(world.now() + 38s));
                if (outbound) {
                    deliver(world, home.first, inner, at("198.51.100.1:1000"));
                } else {
                    deliver(world, home.server, "198.51.100.1:1000", outside);
                }
            }
            const bool keeps = outbound ? row.outbound_keeps : row.inbound_keeps;
            const std::size_t arrived =
                deliver(world, home.server, "198.51.100.1:1000", outside).size();
            // Where the last outbound packet did not refresh, it made a new mapping instead.
            const bool remade = outbound && !row.outbound_keeps;
            CHECK(arrived == (keeps || remade ? 1 : 0));
        }
    }
}

TEST_CASE("sim nat: expiry is exact") {
    for (const Duration wait : {59999ms, 60000ms}) {
        Nat nat{{.lifetime = 60s},
                ip("203.0.113.1"),
                crypto::RandomStream{crypto::seed_from_number(1)}};
        const Instant start{};
        const auto outside = nat.outbound(start, at(inner), at("198.51.100.1:1"));
        REQUIRE(outside);
        CHECK(nat.inbound(start + wait, *outside, at("198.51.100.1:1")).has_value() ==
              (wait < 60s));
        CHECK(nat.mappings(start + wait) == (wait < 60s ? 1 : 0));
    }
}

TEST_CASE("sim nat: each permission of a filter expires on its own") {
    Nat nat{{.filtering = Filtering::AddressDependent, .lifetime = 60s},
            ip("203.0.113.1"),
            crypto::RandomStream{crypto::seed_from_number(1)}};
    const Instant start{};
    const auto outside = nat.outbound(start, at(inner), at("198.51.100.1:1"));
    REQUIRE(outside);
    REQUIRE(nat.outbound(start + 50s, at(inner), at("198.51.100.2:1")));
    CHECK(nat.inbound(start + 70s, *outside, at("198.51.100.2:9")));
    CHECK(nat.inbound(start + 70s, *outside, at("198.51.100.1:1")).error() == NatRefusal::Filtered);
}

TEST_CASE("sim nat: preserves the port, and takes the next one if it is taken") {
    Home home{{.ports = PortAssignment::Preserving}};
    World world{home.topology, 1};
    CHECK(seen(world, home.first, inner, "198.51.100.1:1").port == Port{5000});
    CHECK(seen(world, home.second, "192.168.1.3:5000", "198.51.100.1:1").port == Port{5001});
    CHECK(seen(world, home.second, "192.168.1.3:5001", "198.51.100.1:1").port == Port{5002});
}

TEST_CASE("sim nat: assigns ports one after the other") {
    Home home{{.ports = PortAssignment::Sequential}};
    World world{home.topology, 1};
    const auto one = seen(world, home.first, inner, "198.51.100.1:1").port.value;
    const auto two = seen(world, home.first, "192.168.1.2:9000", "198.51.100.1:1").port.value;
    const auto three = seen(world, home.second, "192.168.1.3:5000", "198.51.100.1:1").port.value;
    CHECK(two == one + 1);
    CHECK(three == two + 1);
}

TEST_CASE("sim nat: assigns ports at random, by the seed") {
    const auto ports = [](std::uint64_t seed) {
        Home home{{.ports = PortAssignment::Random}};
        World world{home.topology, seed};
        std::vector<std::uint16_t> assigned;
        for (std::uint16_t port = 5000; port < 5010; ++port) {
            const SocketAddress local{ip("192.168.1.2"), Port{port}};
            world.send(home.first, {local, at("198.51.100.1:1")}, as_bytes("x"));
            const auto arrived = world.step(world.now() + 1s);
            assigned.push_back(std::get<DatagramArrived>(*arrived).path.remote.port.value);
        }
        return assigned;
    };
    CHECK(ports(1) == ports(1));
    CHECK(ports(1) != ports(2));
    for (const std::uint16_t port : ports(3)) CHECK(port >= NatBehavior{}.first_port);
}

TEST_CASE("sim nat: keeps the parity of ports where it says so") {
    for (const PortAssignment ports :
         {PortAssignment::Preserving, PortAssignment::Sequential, PortAssignment::Random}) {
        CAPTURE(static_cast<int>(ports));
        Nat nat{{.mapping = Mapping::AddressAndPortDependent,
                 .ports = ports,
                 .parity = PortParity::Preserved},
                ip("203.0.113.1"),
                crypto::RandomStream{crypto::seed_from_number(5)}};
        for (std::uint16_t i = 0; i < 40; ++i) {
            const SocketAddress internal{ip("192.168.1.2"),
                                         Port{static_cast<std::uint16_t>(5000 + i % 4)}};
            const SocketAddress remote{ip("198.51.100.1"), Port{i}};
            const auto outside = nat.outbound(Instant{}, internal, remote);
            REQUIRE(outside);
            CHECK(outside->port.value % 2 == internal.port.value % 2);
        }
    }
}

TEST_CASE("sim nat: never gives one outside port to two mappings, and says so when none is left") {
    for (const PortAssignment ports : {PortAssignment::Preserving, PortAssignment::Sequential}) {
        Nat nat{{.mapping = Mapping::AddressAndPortDependent,
                 .ports = ports,
                 .first_port = 4990,
                 .last_port = 5089},
                ip("203.0.113.1"),
                crypto::RandomStream{crypto::seed_from_number(5)}};
        std::set<SocketAddress> given;
        const std::size_t all = 100;
        for (std::size_t i = 0; i < all; ++i) {
            const SocketAddress remote{IpAddress::v4(static_cast<std::uint32_t>(i)), Port{1}};
            const auto outside = nat.outbound(Instant{}, at(inner), remote);
            REQUIRE(outside);
            given.insert(*outside);
        }
        CHECK(given.size() == all);
        CHECK(nat.outbound(Instant{}, at(inner), at("198.51.100.1:1")).error() ==
              NatRefusal::NoPortsLeft);
        // All have expired: there is room again.
        CHECK(nat.outbound(Instant{} + 1h, at(inner), at("198.51.100.1:1")));
    }
}

TEST_CASE("sim nat: hairpinning, with the source as it is inside or outside") {
    for (const Hairpin hairpin :
         {Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource}) {
        CAPTURE(static_cast<int>(hairpin));
        Home home{{.filtering = Filtering::EndpointIndependent, .hairpin = hairpin}};
        World world{home.topology, 1};
        const auto one = seen(world, home.first, inner, "198.51.100.1:1");
        const auto two = seen(world, home.second, "192.168.1.3:6000", "198.51.100.1:1");
        const auto arrived = deliver(world, home.first, inner, two);
        if (hairpin == Hairpin::None) {
            CHECK(arrived.empty());
            CHECK(world.dropped(DropReason::NoHairpin) == 1);
            continue;
        }
        REQUIRE(arrived.size() == 1);
        CHECK(arrived.front().host == home.second);
        CHECK(arrived.front().path.local == at("192.168.1.3:6000"));
        CHECK(arrived.front().path.remote ==
              (hairpin == Hairpin::ExternalSource ? one : at(inner)));
    }
}

TEST_CASE("sim nat: hairpinned packets are filtered as those from outside") {
    Home home{{.filtering = Filtering::AddressDependent}};
    World world{home.topology, 1};
    const auto one = seen(world, home.first, inner, "198.51.100.1:1");
    const auto two = seen(world, home.second, "192.168.1.3:6000", "198.51.100.1:1");
    CHECK(deliver(world, home.first, inner, two).empty());
    // The second has now sent to the outside address of the NAT, which is what the filter looks at.
    CHECK(deliver(world, home.second, "192.168.1.3:6000", one).size() == 1);
    CHECK(deliver(world, home.first, inner, two).size() == 1);
}

TEST_CASE("sim nat: behind another NAT, the outermost address is seen and answers come back") {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    const NetworkId carrier = topology.add_nat(Topology::internet, ip("203.0.113.1"), {});
    const NetworkId home = topology.add_nat(carrier, ip("100.64.0.2"), {});
    const HostId host = topology.add_host("host", home, ip("192.168.1.2"));
    World world{topology, 1};
    const auto outside = seen(world, host, inner, "198.51.100.1:1");
    CHECK(outside.ip == ip("203.0.113.1"));
    const auto back = deliver(world, server, "198.51.100.1:1", outside);
    REQUIRE(back.size() == 1);
    CHECK(back.front().host == host);
    CHECK(back.front().path.local == at(inner));
}

TEST_CASE("sim nat: two homes behind one carrier NAT meet by its hairpinning only") {
    for (const Hairpin hairpin : {Hairpin::None, Hairpin::ExternalSource}) {
        CAPTURE(static_cast<int>(hairpin));
        const NatBehavior open{.filtering = Filtering::EndpointIndependent, .hairpin = hairpin};
        Topology topology;
        topology.add_host("server", Topology::internet, ip("198.51.100.1"));
        const NetworkId carrier = topology.add_nat(Topology::internet, ip("203.0.113.1"), open);
        const NetworkId left = topology.add_nat(carrier, ip("100.64.0.2"), open);
        const NetworkId right = topology.add_nat(carrier, ip("100.64.0.3"), open);
        // The same private address in both homes.
        const HostId one = topology.add_host("one", left, ip("192.168.1.2"));
        const HostId two = topology.add_host("two", right, ip("192.168.1.2"));
        World world{topology, 1};
        seen(world, one, inner, "198.51.100.1:1");
        const auto target = seen(world, two, inner, "198.51.100.1:1");
        const auto arrived = deliver(world, one, inner, target);
        CHECK(arrived.size() == (hairpin == Hairpin::None ? 0 : 1));
        if (!arrived.empty()) CHECK(arrived.front().host == two);
    }
}

TEST_CASE("sim nat: a restart forgets every mapping") {
    Home home{{.filtering = Filtering::EndpointIndependent}};
    World world{home.topology, 1};
    const auto outside = seen(world, home.first, inner, "198.51.100.1:1");
    world.restart(home.nat);
    CHECK(deliver(world, home.server, "198.51.100.1:1", outside).empty());
}

TEST_CASE("sim nat: IPv6 passes it untranslated") {
    Home home{{}};
    const NetworkId inside = home.topology.boxes().front().inside;
    home.topology.add_interface(home.server, Topology::internet, ip("2001:db8:1::1"));
    home.topology.add_interface(home.first, inside, ip("2001:db8:2::2"));
    World world{home.topology, 1};
    CHECK(seen(world, home.first, "[2001:db8:2::2]:5000", "[2001:db8:1::1]:1") ==
          at("[2001:db8:2::2]:5000"));
    CHECK(deliver(world, home.server, "[2001:db8:1::1]:1", at("[2001:db8:2::2]:77")).size() == 1);
}

TEST_CASE("sim firewall: translates nothing and lets in what was asked for") {
    for (const std::string_view server_text : {"198.51.100.1", "2001:db8::1"}) {
        CAPTURE(server_text);
        Topology topology;
        const HostId server = topology.add_host("server", Topology::internet, ip(server_text));
        const NetworkId inside =
            topology.add_firewall(Topology::internet, Filtering::AddressAndPortDependent);
        const bool v4 = ip(server_text).is_v4();
        const IpAddress address = ip(v4 ? "198.51.100.77" : "2001:db8:7::7");
        const HostId host = topology.add_host("host", inside, address);
        World world{topology, 1};
        const SocketAddress one{address, Port{5000}};
        const SocketAddress there{ip(server_text), Port{1}};
        const auto server_at = there.to_string();
        CHECK(deliver(world, server, server_at, one).empty());
        CHECK(seen(world, host, one.to_string(), server_at) == one);
        CHECK(deliver(world, server, server_at, one).size() == 1);
        CHECK(deliver(world, server, SocketAddress{there.ip, Port{2}}.to_string(), one).empty());
    }
}

TEST_CASE("sim firewall: a UDP-blocking one passes no datagram either way") {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    const NetworkId inside = topology.add_firewall(Topology::internet, std::nullopt, Udp::Blocked);
    const HostId host = topology.add_host("host", inside, ip("198.51.100.77"));
    World world{topology, 1};
    CHECK(deliver(world, host, "198.51.100.77:5000", at("198.51.100.1:1")).empty());
    CHECK(deliver(world, server, "198.51.100.1:1", at("198.51.100.77:5000")).empty());
    CHECK(world.dropped(DropReason::UdpBlocked) == 2);
}

}  // namespace
}  // namespace stile::sim
