// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What changes in a world while it runs.
#include <stile/base/assert.hpp>
#include <stile/sim/world.hpp>

namespace stile::sim {

void World::set_link(HostId host, const IpAddress& address, const Link& link) {
    Interface* const one = topology_.interface_of(host, address);
    STILE_ASSERT(one != nullptr);
    one->link = link;
}

void World::set_uplink(BoxId box, const Link& link) { topology_.box(box).uplink = link; }

void World::set_udp(BoxId box, Udp udp) { topology_.box(box).udp = udp; }

void World::set_tcp(BoxId box, Tcp tcp) { topology_.box(box).tcp = tcp; }

void World::restart(BoxId box) {
    BoxState& state = boxes_.at(box.value);
    if (state.v4) state.v4->restart();
    if (state.v6) state.v6->restart();
    if (state.tcp_v4) state.tcp_v4->restart();
    if (state.tcp_v6) state.tcp_v6->restart();
}

void World::attach(HostId host, NetworkId network, const IpAddress& address, const Link& link) {
    topology_.add_interface(host, network, address, link);
}

void World::detach(HostId host, const IpAddress& address) {
    topology_.remove_interface(host, address);
    std::vector<EndId> over_it;
    for (const auto& [id, socket] : sockets_) {
        if (socket.host == host && socket.path.local.ip == address) over_it.push_back(id);
    }
    for (const EndId id : over_it) forget(id);
}

}  // namespace stile::sim
