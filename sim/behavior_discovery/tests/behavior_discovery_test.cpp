// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/drain.hpp>
#include <stile/sim/world.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/behavior_server.hpp>
#include <stile/stun/hairpin_discovery.hpp>
#include <stile/stun/lifetime_discovery.hpp>

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

    // Runs a machine of the client's until it tells what it has found.
    template <class Found, class M>
    Found run(World& world, M& machine) const {
        const stun::BehaviorServer responder{.primary = at("198.51.100.1:0").ip,
                                             .alternate = at("198.51.100.2:0").ip,
                                             .primary_port = Port{3478},
                                             .alternate_port = Port{3479},
                                             .software = {}};
        std::optional<Found> findings;
        while (!findings) {
            const auto wake = drain(
                machine, [&](const Transmit& out) { world.send(client, out.path, out.payload); },
                [&](const auto& event) { take(event, findings); });
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

    template <class Found>
    static void take(const Found& event, std::optional<Found>& findings) {
        findings = event;
    }
    static void take(const stun::LifetimeDiscovery::Event& event,
                     std::optional<stun::LifetimeDiscovery::Findings>& findings) {
        if (const auto* found = std::get_if<stun::LifetimeDiscovery::Findings>(&event)) {
            findings = *found;
        }
    }

    stun::BehaviorDiscovery::Findings discover(std::uint64_t seed, Probability loss = {}) const {
        World world{topology, seed};
        world.set_link(client, local.ip, {.loss = loss});
        stun::BehaviorDiscovery machine{world.now(),
                                        {.local = local, .server = primary()},
                                        crypto::RandomStream{crypto::seed_from_number(seed)}};
        return run<stun::BehaviorDiscovery::Findings>(world, machine);
    }

    stun::LifetimeDiscovery::Findings lifetime(stun::LifetimeDiscovery::Config config = {}) const {
        World world{topology, 1};
        config.kept = local;
        config.asker = {.ip = local.ip, .port = Port{5001}};
        config.server = primary();
        stun::LifetimeDiscovery machine{world.now(), config,
                                        crypto::RandomStream{crypto::seed_from_number(1)}};
        const auto findings = run<stun::LifetimeDiscovery::Findings>(world, machine);
        CHECK_FALSE(machine.poll_event());
        CHECK_FALSE(machine.poll_timeout());
        return findings;
    }

    stun::HairpinDiscovery::Findings hairpin() const {
        World world{topology, 1};
        stun::HairpinDiscovery machine{
            world.now(),
            {.first = local, .second = {.ip = local.ip, .port = Port{5001}}, .server = primary()},
            crypto::RandomStream{crypto::seed_from_number(1)}};
        return run<stun::HairpinDiscovery::Findings>(world, machine);
    }

    static SocketAddress primary() { return at("198.51.100.1:3478"); }
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

// ---- lifetimes ------------------------------------------------------------------------------

using End = stun::LifetimeDiscovery::Findings::End;

TEST_CASE("sim lifetime discovery: finds the lifetime of every NAT, whatever refreshes it") {
    for (const auto filtering : {Filtering::EndpointIndependent, Filtering::AddressDependent,
                                 Filtering::AddressAndPortDependent}) {
        for (const auto mapping :
             {Mapping::EndpointIndependent, Mapping::AddressAndPortDependent}) {
            for (const auto refresh : {Refresh::Outbound, Refresh::Both}) {
                for (const Duration lifetime : {5s, 30s, 61s, 120s, 300s}) {
                    CAPTURE(lifetime.count());
                    CAPTURE(static_cast<int>(filtering));
                    const Scene scene{NatBehavior{.mapping = mapping,
                                                  .filtering = filtering,
                                                  .refresh = refresh,
                                                  .lifetime = lifetime}};
                    const auto findings = scene.lifetime({.budget = 2h});
                    REQUIRE(findings.end == End::Found);
                    CHECK(*findings.longest_alive <= lifetime);
                    CHECK(*findings.shortest_expired >= lifetime - 1s);
                    CHECK(*findings.shortest_expired - *findings.longest_alive <= 5s);
                }
            }
        }
    }
}

TEST_CASE("sim lifetime discovery: bounded by its longest wait and by its budget") {
    const Scene patient{NatBehavior{.lifetime = std::chrono::hours{2}}};
    const auto longest = patient.lifetime({.longest_wait = 100s});
    CHECK(longest.end == End::LongestAlive);
    CHECK(longest.longest_alive == 100s);
    CHECK_FALSE(longest.shortest_expired);
    const auto spent = patient.lifetime({.budget = 70s});
    CHECK(spent.end == End::BudgetSpent);
    CHECK(spent.longest_alive == 30s);
}

TEST_CASE("sim lifetime discovery: without a NAT nothing expires; without UDP nothing is found") {
    CHECK(Scene{std::nullopt}.lifetime({.longest_wait = 60s}).end == End::LongestAlive);
    CHECK(Scene{std::nullopt, Udp::Blocked}.lifetime().end == End::NoServer);
}

// ---- hairpins -------------------------------------------------------------------------------

TEST_CASE("sim hairpin discovery: finds what the NAT does with its own mapped addresses") {
    using stun::HairpinBehavior;
    struct Row {
        Hairpin hairpin;
        Filtering filtering;
        HairpinBehavior found;
    };
    for (const Row& row : {
             Row{Hairpin::None, Filtering::EndpointIndependent, HairpinBehavior::Never},
             Row{Hairpin::ExternalSource, Filtering::EndpointIndependent, HairpinBehavior::Always},
             Row{Hairpin::ExternalSource, Filtering::AddressAndPortDependent,
                 HairpinBehavior::AfterSending},
             Row{Hairpin::InternalSource, Filtering::EndpointIndependent, HairpinBehavior::Always},
         }) {
        CAPTURE(static_cast<int>(row.hairpin));
        const Scene scene{NatBehavior{.filtering = row.filtering, .hairpin = row.hairpin}};
        const auto findings = scene.hairpin();
        REQUIRE(findings.behavior);
        CHECK(*findings.behavior == row.found);
        if (row.hairpin == Hairpin::ExternalSource) {
            CHECK(findings.seen_source->ip == at("203.0.113.1:0").ip);
        }
        if (row.hairpin == Hairpin::InternalSource)
            CHECK(findings.seen_source->ip == scene.local.ip);
    }
    const auto blocked = Scene{std::nullopt, Udp::Blocked}.hairpin();
    CHECK_FALSE(blocked.behavior);
    CHECK_FALSE(blocked.mapped_first);
}

}  // namespace
}  // namespace stile::sim
