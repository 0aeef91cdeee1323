// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "gateway_script.hpp"

#include <stile/drivers/port_mappings.hpp>

#include <net/if.h>
#include <optional>
#include <vector>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;
using test::FakeRouter;

constexpr Duration patience = 10s;

const SocketAddress socket_address{IpAddress::v4({127, 0, 0, 1}), Port{5000}};

Gateway at_loopback(const IpAddress& address) {
    return {.address = address, .interface_index = ::if_nametoindex("lo"), .metric = 0};
}

// No UPnP: the machine that the tests run on may have a router that knows it.
PortMappingsOptions options_with(std::vector<Gateway> gateways) {
    return {.upnp = PortMappingsOptions::Upnp::Off, .gateways = std::move(gateways)};
}

struct Heard {
    std::vector<MappedPort> mapped;
    std::vector<MappedPort> lost;

    PortMappings::Handlers handlers() {
        return {.on_mapped = [this](const MappedPort& news) { mapped.push_back(news); },
                .on_lost = [this](const MappedPort& news) { lost.push_back(news); }};
    }
};

TEST_CASE("port mappings: a port is mapped at the gateway, and given back at the end") {
    Loop loop;
    FakeRouter router{loop, 1};
    Heard heard;
    PortMappings mappings{loop, options_with({at_loopback(router.address)}), heard.handlers()};
    mappings.map(socket_address);
    REQUIRE(loop.run_until([&] { return !heard.mapped.empty(); }, patience) == Loop::Outcome::Done);
    CHECK(heard.mapped.front() == MappedPort{.socket = socket_address,
                                             .external = {router.external, Port{40'000}},
                                             .gateway = router.address,
                                             .by = MappedBy::Pcp,
                                             .protocol = portmap::Protocol::Udp});
    CHECK(mappings.mapped() == heard.mapped);
    bool stopped = false;
    mappings.stop([&] { stopped = true; });
    REQUIRE(loop.run_until([&] { return stopped; }, patience) == Loop::Outcome::Done);
    CHECK(router.ports.empty());
    CHECK(heard.lost.empty());
}

TEST_CASE("port mappings: the same port of TCP is another mapping") {
    using portmap::Protocol;
    Loop loop;
    FakeRouter router{loop, 7};
    Heard heard;
    PortMappings mappings{loop, options_with({at_loopback(router.address)}), heard.handlers()};
    mappings.map(socket_address);
    mappings.map(socket_address, Protocol::Tcp);
    REQUIRE(loop.run_until([&] { return heard.mapped.size() == 2; }, patience) ==
            Loop::Outcome::Done);
    CHECK(heard.mapped[0].protocol != heard.mapped[1].protocol);
    CHECK(heard.mapped[0].external != heard.mapped[1].external);
    mappings.unmap(socket_address);
    REQUIRE(loop.run_until([&] { return router.ports.size() == 1; }, patience) ==
            Loop::Outcome::Done);
    REQUIRE(mappings.mapped().size() == 1);
    CHECK(mappings.mapped().front().protocol == Protocol::Tcp);
    bool stopped = false;
    mappings.stop([&] { stopped = true; });
    REQUIRE(loop.run_until([&] { return stopped; }, patience) == Loop::Outcome::Done);
    CHECK(router.ports.empty());
    CHECK(heard.lost.empty());
}

TEST_CASE("port mappings: a silent gateway delays no other") {
    Loop loop;
    FakeRouter silent{loop, 2, FakeRouter::Manner::Silent};
    FakeRouter router{loop, 3};
    Heard heard;
    PortMappings mappings{loop,
                          options_with({at_loopback(silent.address), at_loopback(router.address)}),
                          heard.handlers()};
    const Instant start = loop.now();
    mappings.map(socket_address);
    REQUIRE(loop.run_until([&] { return !heard.mapped.empty(); }, patience) == Loop::Outcome::Done);
    CHECK(heard.mapped.front().gateway == router.address);
    // Before the silent one was even asked a second time.
    CHECK(loop.now() - start < 3s);
    CHECK(silent.requests > 0);
}

TEST_CASE("port mappings: a gateway that falls silent holds the end up for its time alone") {
    Loop loop;
    FakeRouter router{loop, 4};
    Heard heard;
    PortMappings mappings{loop, options_with({at_loopback(router.address)}), heard.handlers()};
    mappings.map(socket_address);
    REQUIRE(loop.run_until([&] { return !heard.mapped.empty(); }, patience) == Loop::Outcome::Done);
    router.manner = FakeRouter::Manner::Silent;
    std::optional<Instant> stopped;
    const Instant start = loop.now();
    mappings.stop([&] { stopped = loop.now(); });
    REQUIRE(loop.run_until([&] { return stopped.has_value(); }, patience) == Loop::Outcome::Done);
    CHECK(*stopped - start >= PortMappings::stop_patience);
    CHECK(*stopped - start < PortMappings::stop_patience + 2s);
}

TEST_CASE("port mappings: with nothing mapped the end comes at once") {
    Loop loop;
    PortMappings mappings{loop, options_with({}), {}};
    mappings.map(socket_address);
    mappings.map({IpAddress::v4({192, 0, 2, 1}), Port{5000}});  // not an address of this host
    bool stopped = false;
    const Instant start = loop.now();
    mappings.stop([&] { stopped = true; });
    REQUIRE(loop.run_until([&] { return stopped; }, patience) == Loop::Outcome::Done);
    CHECK(loop.now() - start < PortMappings::stop_patience);
}

TEST_CASE("port mappings: what is given back is not told, nor is it lost") {
    Loop loop;
    FakeRouter router{loop, 5};
    Heard heard;
    PortMappings mappings{loop, options_with({at_loopback(router.address)}), heard.handlers()};
    mappings.map(socket_address);
    mappings.unmap(socket_address);
    const SocketAddress other{socket_address.ip, Port{5001}};
    mappings.map(other);
    REQUIRE(loop.run_until([&] { return !heard.mapped.empty(); }, patience) == Loop::Outcome::Done);
    CHECK(heard.mapped.front().socket == other);
    CHECK(heard.lost.empty());
}

TEST_CASE("port mappings: whoever is told may end it all") {
    Loop loop;
    FakeRouter router{loop, 6};
    std::optional<PortMappings> mappings;
    bool told = false;
    mappings.emplace(loop, options_with({at_loopback(router.address)}),
                     PortMappings::Handlers{.on_mapped =
                                                [&](const MappedPort&) {
                                                    told = true;
                                                    mappings.reset();
                                                },
                                            .on_lost = {}});
    mappings->map(socket_address);
    REQUIRE(loop.run_until([&] { return told; }, patience) == Loop::Outcome::Done);
    CHECK_FALSE(mappings);
}

TEST_CASE("default gateways: the kernel tells them, each with its interface") {
    const auto gateways = default_gateways();
    REQUIRE(gateways);
    for (const Gateway& gateway : *gateways) {
        CHECK(gateway.interface_index > 0);
        CHECK_FALSE(gateway.address.is_unspecified());
    }
}

}  // namespace
}  // namespace stile::drivers
