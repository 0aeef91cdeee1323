// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/behavior_probe.hpp>

#include <utility>

namespace stile::nat_probe {
namespace {

std::vector<std::unique_ptr<drivers::UdpSocket>> list_of(
    std::unique_ptr<drivers::UdpSocket> socket) {
    std::vector<std::unique_ptr<drivers::UdpSocket>> list;
    list.push_back(std::move(socket));
    return list;
}

}  // namespace

BehaviorProbe::BehaviorProbe(drivers::Loop& loop, std::unique_ptr<drivers::UdpSocket> socket,
                             const SocketAddress& server, stun::RetransmitSchedule schedule,
                             crypto::RandomStream random)
    : sockets_(list_of(std::move(socket))),
      machine_(loop.now(), {.local = local(), .server = server, .schedule = schedule},
               std::move(random)),
      drive_(loop, sockets_, machine_, Notify{this}) {
    drive_.pump();
}

}  // namespace stile::nat_probe
