// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scene_parts.hpp"

#include <stile/base/assert.hpp>

namespace stile::sim {

using std::chrono::milliseconds;

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    STILE_ASSERT(parsed);
    return *parsed;
}

std::uint32_t draw(crypto::RandomStream& random, std::uint32_t from, std::uint32_t to) {
    return from + static_cast<std::uint32_t>(random.below(to - from + 1U));
}

// The line of a home: the only place of delay and loss, so that these are the path's.
Link line(crypto::RandomStream& random, Weather weather) {
    Link link{.delay = milliseconds{draw(random, 5, 100)}};
    const auto jitter = milliseconds{draw(random, 0, 20)};
    const Probability loss{draw(random, 0, 50'000)};
    const Probability duplication{draw(random, 0, 10'000)};
    if (weather == Weather::Fair) return link;
    link.jitter = jitter;
    link.loss = loss;
    link.duplication = duplication;
    return link;
}

Link cable() { return {.delay = milliseconds{1}}; }

NatBehavior nat(NatKind kind, crypto::RandomStream& random) {
    constexpr std::array ports{PortAssignment::Preserving, PortAssignment::Sequential,
                               PortAssignment::Random};
    constexpr std::array hairpins{Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource};
    return {
        .mapping = kind.mapping,
        .filtering = kind.filtering,
        .ports = ports[random.below(ports.size())],
        .parity = random.below(2) == 0 ? PortParity::Ignored : PortParity::Preserved,
        .hairpin = hairpins[random.below(hairpins.size())],
    };
}

Scene scene_with_server(std::string name) {
    Scene scene;
    scene.name = std::move(name);
    scene.server =
        scene.topology.add_host("server", Topology::internet, ip("198.51.100.1"), cable());
    scene.server_sockets = {{ip("198.51.100.1"), Port{3478}}};
    return scene;
}

void put_left(Scene& scene, NetworkId network, std::string_view address, const Link& link) {
    scene.left_addresses = {ip(address)};
    scene.left = scene.topology.add_host("left", network, ip(address), link);
}

void put_right(Scene& scene, NetworkId network, std::string_view address, const Link& link) {
    scene.right_addresses = {ip(address)};
    scene.right = scene.topology.add_host("right", network, ip(address), link);
}

NatKind any_kind(crypto::RandomStream& random) {
    return {mappings[random.below(mappings.size())], filterings[random.below(filterings.size())]};
}

}  // namespace stile::sim
