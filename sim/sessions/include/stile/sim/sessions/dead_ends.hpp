// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/scene.hpp>

namespace stile::sim {

// What a machine may have beside what works: servers that are gone, and interfaces whose datagrams
// nobody gets (a VPN that is down, containers).
struct DeadEnds {
    std::size_t stun_servers = 0;
    std::size_t turn_servers = 0;
    std::size_t interfaces = 0;  // of each side
    Order order = Order::Last;
    // Of both sides' dead interfaces. Shared: as those of containers are on every machine.
    enum class Addresses : std::uint8_t { Own, Shared } addresses = Addresses::Own;
};

// The same scene with so many interfaces on each side that all lead out.
Scene with_interfaces(Scene scene, std::size_t of_each_side);
Scene with_dead_ends(Scene scene, const DeadEnds& dead);

}  // namespace stile::sim
