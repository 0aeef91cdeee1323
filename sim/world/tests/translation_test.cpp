// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::sim {
namespace {

using namespace test;
using namespace std::string_view_literals;

// An IPv6-only network whose NAT64 leads to the internet of both families.
struct Ipv6Only {
    Topology topology;
    HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    HostId other = topology.add_host("other", Topology::internet, ip("198.51.100.2"));
    HostId first{};
    HostId second{};

    explicit Ipv6Only(const Nat64& nat64, std::optional<Filtering> firewall = std::nullopt) {
        topology.add_interface(server, Topology::internet, ip("2001:db8:f::1"));
        const NetworkId inside =
            topology.add_nat64(Topology::internet, ip("203.0.113.1"), nat64, firewall);
        first = topology.add_host("first", inside, ip("2001:db8:1::2"));
        second = topology.add_host("second", inside, ip("2001:db8:1::3"));
    }
};

Nat64 with(NatBehavior behavior) { return {.behavior = behavior}; }

TEST_CASE("sim nat64: an IPv6 host speaks with an IPv4 one, and each sees its own family") {
    for (const Nat64& nat64 :
         {Nat64{.behavior = {}},
          Nat64{.prefix = TranslationPrefix{ip("2001:db8:64::")}, .behavior = {}}}) {
        const Ipv6Only net{nat64};
        World world{net.topology, 1};
        const SocketAddress server{nat64.prefix.embed(ip("198.51.100.1")), Port{7}};
        const auto out = deliver(world, net.first, "[2001:db8:1::2]:5000", server);
        REQUIRE(out.size() == 1);
        CHECK(out.front().host == net.server);
        CHECK(out.front().path == Path{at("198.51.100.1:7"), at("203.0.113.1:5000")});
        const auto back = deliver(world, net.server, "198.51.100.1:7", at("203.0.113.1:5000"));
        REQUIRE(back.size() == 1);
        CHECK(back.front().host == net.first);
        CHECK(back.front().path == Path{at("[2001:db8:1::2]:5000"), server});
    }
}

TEST_CASE("sim nat64: maps and filters as its behaviour says, on IPv4 addresses") {
    const Ipv6Only net{with({.mapping = Mapping::AddressDependent,
                             .filtering = Filtering::AddressDependent,
                             .ports = PortAssignment::Sequential,
                             .first_port = 2000})};
    World world{net.topology, 1};
    const std::string local = "[2001:db8:1::2]:5000";
    CHECK(seen(world, net.first, local, "[2001:db8:f::1]:7") == at(local));  // no translation
    const auto out = [&](std::string_view to) {
        const auto arrived = deliver(world, net.first, local, at(to));
        REQUIRE(arrived.size() == 1);
        return arrived.front().path.remote;
    };
    CHECK(out("[64:ff9b::198.51.100.1]:7") == at("203.0.113.1:2000"));
    CHECK(out("[64:ff9b::198.51.100.1]:8") == at("203.0.113.1:2000"));
    CHECK(out("[64:ff9b::198.51.100.2]:7") == at("203.0.113.1:2001"));
    CHECK(deliver(world, net.server, "198.51.100.1:99", at("203.0.113.1:2000")).size() == 1);
    CHECK(deliver(world, net.other, "198.51.100.2:7", at("203.0.113.1:2000")).empty());
    CHECK(world.dropped(DropReason::Filtered) == 1);
    CHECK(deliver(world, net.other, "198.51.100.2:7", at("203.0.113.1:3000")).empty());
    CHECK(world.dropped(DropReason::NoMapping) == 1);
}

TEST_CASE("sim nat64: hairpins under the prefix (RFC 6146 3.8), or not at all") {
    for (const Hairpin kind : {Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource}) {
        CAPTURE(static_cast<int>(kind));
        const Ipv6Only net{with({.filtering = Filtering::EndpointIndependent, .hairpin = kind})};
        World world{net.topology, 1};
        CHECK(deliver(world, net.second, "[2001:db8:1::3]:6000", at("[64:ff9b::198.51.100.1]:7"))
                  .size() == 1);
        const auto arrived =
            deliver(world, net.first, "[2001:db8:1::2]:5000", at("[64:ff9b::203.0.113.1]:6000"));
        REQUIRE(arrived.size() == (kind == Hairpin::None ? 0 : 1));
        if (arrived.empty()) continue;
        CHECK(arrived.front().host == net.second);
        CHECK(arrived.front().path.remote == at(kind == Hairpin::ExternalSource
                                                    ? "[64:ff9b::203.0.113.1]:5000"
                                                    : "[2001:db8:1::2]:5000"));
    }
}

TEST_CASE("sim nat64: the firewall beside it holds for IPv6 alone, and no IPv4 passes as it is") {
    Ipv6Only net{with({.filtering = Filtering::EndpointIndependent}),
                 Filtering::AddressAndPortDependent};
    const NetworkId inside = net.topology.box(BoxId{0}).inside;
    const HostId old = net.topology.add_host("old", inside, ip("192.168.1.2"));
    World world{net.topology, 1};
    CHECK(deliver(world, net.server, "[2001:db8:f::1]:7", at("[2001:db8:1::2]:5000")).empty());
    seen(world, net.first, "[2001:db8:1::2]:5000", "[2001:db8:f::1]:7");
    CHECK(deliver(world, net.server, "[2001:db8:f::1]:7", at("[2001:db8:1::2]:5000")).size() == 1);
    CHECK(deliver(world, net.server, "[2001:db8:f::1]:8", at("[2001:db8:1::2]:5000")).empty());
    CHECK(deliver(world, old, "192.168.1.2:5000", at("198.51.100.1:7")).empty());
    CHECK(world.dropped(DropReason::NoRoute) == 1);
}

TEST_CASE("sim nat64: streams pass it, and both ends see their own family") {
    const Ipv6Only net{with({})};
    World world{net.topology, 1};
    world.listen(net.server, at("198.51.100.1:5061"));
    const Path path{at("[2001:db8:1::2]:5000"), at("[64:ff9b::198.51.100.1]:5061")};
    const StreamId stream = world.connect(net.first, path);
    std::size_t opened = 0;
    world.run_until(world.now() + 1s, [&](const Happening& happening) {
        if (const auto* accepted = std::get_if<StreamAccepted>(&happening)) {
            CHECK(accepted->path.local == at("198.51.100.1:5061"));
            CHECK(accepted->path.remote.ip == ip("203.0.113.1"));
            world.send(stream, StreamEnd::Server, as_bytes("hello"));
        } else if (const auto* client = std::get_if<StreamOpened>(&happening)) {
            CHECK(client->path == path);
            ++opened;
        }
    });
    CHECK(opened == 1);
}

TEST_CASE("sim nat: an ALG rewrites the addresses that it finds, both ways; XOR hides them") {
    for (const Alg alg : {Alg::None, Alg::RewritesAddresses}) {
        CAPTURE(static_cast<int>(alg));
        Home home{{}};
        home.topology.box(home.nat).alg = alg;
        World world{home.topology, 1};
        // 192.168.1.2 twice, once with all bits turned over; then a piece of it.
        const Bytes sent =
            to_bytes("\xC0\xA8\x01\x02 \x3F\x57\xFE\xFD \xC0\xA8\x01\x02\xC0\xA8\x01"sv);
        const Bytes rewritten =
            to_bytes("\xCB\x00\x71\x01 \x3F\x57\xFE\xFD \xCB\x00\x71\x01\xC0\xA8\x01"sv);
        const auto out =
            deliver(world, home.first, "192.168.1.2:5000", at("198.51.100.1:1"), as_text(sent));
        REQUIRE(out.size() == 1);
        CHECK(out.front().payload == (alg == Alg::None ? sent : rewritten));
        const auto back = deliver(world, home.server, "198.51.100.1:1", at("203.0.113.1:5000"),
                                  as_text(rewritten));
        REQUIRE(back.size() == 1);
        CHECK(back.front().payload == (alg == Alg::None ? rewritten : sent));
    }
}

TEST_CASE("sim firewall: one that lets UDP through for STUN alone looks at the outside port") {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    const NetworkId inside = topology.add_firewall(Topology::internet, std::nullopt, Udp::StunOnly);
    const HostId host = topology.add_host("host", inside, ip("198.51.100.77"));
    World world{topology, 1};
    CHECK(deliver(world, host, "198.51.100.77:5000", at("198.51.100.1:3478")).size() == 1);
    CHECK(deliver(world, server, "198.51.100.1:3478", at("198.51.100.77:5000")).size() == 1);
    CHECK(deliver(world, host, "198.51.100.77:3478", at("198.51.100.1:5000")).empty());
    CHECK(deliver(world, server, "198.51.100.1:5000", at("198.51.100.77:3478")).empty());
    CHECK(world.dropped(DropReason::UdpBlocked) == 2);
}

}  // namespace
}  // namespace stile::sim
