// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/drain.hpp>
#include <stile/sim/world.hpp>

#include <doctest/doctest.h>
#include <vector>

namespace stile::sim::test {

using namespace std::chrono_literals;

inline IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}
inline SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

// Sends, lets a second pass, and tells which datagrams arrived meanwhile.
inline std::vector<DatagramArrived> deliver(World& world, HostId from, std::string_view local,
                                            const SocketAddress& remote,
                                            std::string_view text = "x") {
    CHECK(world.send(from, {at(local), remote}, as_bytes(text)) == World::Sent::Yes);
    std::vector<DatagramArrived> arrived;
    world.run_until(world.now() + 1s, [&](Happening happening) {
        arrived.push_back(std::get<DatagramArrived>(std::move(happening)));
    });
    return arrived;
}

// Where one datagram seems to come from; it must arrive.
inline SocketAddress seen(World& world, HostId from, std::string_view local,
                          std::string_view remote) {
    const auto arrived = deliver(world, from, local, at(remote));
    REQUIRE(arrived.size() == 1);
    CHECK(arrived.front().path.local == at(remote));
    return arrived.front().path.remote;
}

// Two servers on the internet, one with two addresses, and two hosts behind one NAT.
struct Home {
    Topology topology;
    HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    HostId other = topology.add_host("other", Topology::internet, ip("198.51.100.2"));
    HostId first{};
    HostId second{};
    BoxId nat{0};

    explicit Home(NatBehavior behavior) {
        const NetworkId inside = topology.add_nat(Topology::internet, ip("203.0.113.1"), behavior);
        first = topology.add_host("first", inside, ip("192.168.1.2"));
        second = topology.add_host("second", inside, ip("192.168.1.3"));
    }
};

}  // namespace stile::sim::test
