// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/drain.hpp>
#include <stile/sim/world.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/behavior_server.hpp>

#include <doctest/doctest.h>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

// A client behind one box, and a server with two addresses.
struct Scene {
    Topology topology;
    HostId server;
    HostId client{};
    SocketAddress local;

    explicit Scene(std::optional<NatBehavior> behavior, Udp udp = Udp::Allowed)
        : server(topology.add_host("server", Topology::internet, at("198.51.100.1:0").ip)) {
        topology.add_interface(server, Topology::internet, at("198.51.100.2:0").ip);
        NetworkId inside = Topology::internet;
        local = at("192.0.2.7:5000");
        if (behavior) {
            inside = topology.add_nat(Topology::internet, at("203.0.113.1:0").ip, *behavior);
            local = at("192.168.1.2:5000");
        } else if (udp == Udp::Blocked) {
            inside = topology.add_firewall(Topology::internet, std::nullopt, udp);
        }
        client = topology.add_host("client", inside, local.ip);
    }

    stun::BehaviorDiscovery::Findings discover(std::uint64_t seed, Probability loss = {}) const {
        World world{topology, seed};
        world.set_link(client, local.ip, {.loss = loss});
        const stun::BehaviorServer responder{.primary = at("198.51.100.1:0").ip,
                                             .alternate = at("198.51.100.2:0").ip,
                                             .primary_port = Port{3478},
                                             .alternate_port = Port{3479},
                                             .software = {}};
        stun::BehaviorDiscovery machine{world.now(),
                                        {.local = local, .server = at("198.51.100.1:3478")},
                                        crypto::RandomStream{crypto::seed_from_number(seed)}};
        std::optional<stun::BehaviorDiscovery::Findings> findings;
        while (!findings) {
            const auto wake = drain(
                machine, [&](const Transmit& out) { world.send(client, out.path, out.payload); },
                [&](const stun::BehaviorDiscovery::Findings& found) { findings = found; });
            if (findings) break;
            REQUIRE(wake);
            const auto happening = world.step(*wake);
            if (!happening) {
                machine.handle_timeout(world.now());
                continue;
            }
            const auto& arrived = std::get<DatagramArrived>(*happening);
            if (arrived.host == client) {
                machine.handle_datagram(world.now(), arrived.path, arrived.payload);
                continue;
            }
            const auto request = stun::MessageView::parse(arrived.payload);
            REQUIRE(request);
            if (const auto answer = responder.respond(*request, arrived.path)) {
                world.send(server, answer->path, answer->response);
            }
        }
        return *findings;
    }
};

TEST_CASE("sim behavior discovery: finds mapping and filtering of every NAT") {
    for (const auto mapping : {Mapping::EndpointIndependent, Mapping::AddressDependent,
                               Mapping::AddressAndPortDependent}) {
        for (const auto filtering : {Filtering::EndpointIndependent, Filtering::AddressDependent,
                                     Filtering::AddressAndPortDependent}) {
            for (const auto ports :
                 {PortAssignment::Preserving, PortAssignment::Sequential, PortAssignment::Random}) {
                CAPTURE(static_cast<int>(mapping));
                CAPTURE(static_cast<int>(filtering));
                CAPTURE(static_cast<int>(ports));
                const Scene scene{
                    NatBehavior{.mapping = mapping, .filtering = filtering, .ports = ports}};
                const auto findings = scene.discover(1);
                REQUIRE(findings.mapped);
                CHECK(findings.mapped->ip == at("203.0.113.1:0").ip);
                REQUIRE(findings.mapping);
                REQUIRE(findings.filtering);
                CHECK(static_cast<int>(*findings.mapping) == static_cast<int>(mapping));
                CHECK(static_cast<int>(*findings.filtering) == static_cast<int>(filtering));
            }
        }
    }
}

TEST_CASE("sim behavior discovery: without a NAT the mapped address is the local one") {
    const Scene scene{std::nullopt};
    const auto findings = scene.discover(1);
    CHECK(findings.mapped == scene.local);
    CHECK(findings.mapping == stun::MappingBehavior::EndpointIndependent);
    CHECK(findings.filtering == stun::FilteringBehavior::EndpointIndependent);
}

TEST_CASE("sim behavior discovery: where UDP is blocked it finds nothing, in bounded time") {
    const Scene scene{std::nullopt, Udp::Blocked};
    CHECK_FALSE(scene.discover(1).mapped);
}

TEST_CASE("sim behavior discovery: a lossy link is not taken for a filter") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        const Scene scene{NatBehavior{.filtering = Filtering::EndpointIndependent}};
        const auto findings = scene.discover(seed, Probability::percent(10));
        CHECK(findings.filtering == stun::FilteringBehavior::EndpointIndependent);
        CHECK(findings.mapping == stun::MappingBehavior::EndpointIndependent);
    }
}

}  // namespace
}  // namespace stile::sim
