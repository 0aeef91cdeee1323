// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange.hpp"
#include "output.hpp"

#include <stile/nat_probe/datagram_drive.hpp>

#include <memory>
#include <vector>

namespace stile::probe {

using Sockets = std::vector<std::unique_ptr<drivers::UdpSocket>>;

// What commands about datagrams begin with.
struct Place {
    SocketAddress server;  // the first that answers
    Sockets sockets;
    std::optional<app::Problem> no_udp;  // why none answers, where that is no end

    SocketAddress local() const { return sockets.front()->local_address(); }
};

// What a server that answers nothing over UDP means.
enum class NoUdp : std::uint8_t { IsTheEnd, IsAFinding };

// Asks the server once, which tells what is wrong at once, and opens `sockets` sockets at random
// ports for the test: a port that was used lately would spoil the findings (RFC 5780 Section 4.1).
std::expected<Place, app::Problem> find_place(drivers::Loop& loop, crypto::RandomStream& random,
                                              const CommonOptions& options, std::size_t sockets,
                                              NoUdp meaning = NoUdp::IsTheEnd);

// Runs a machine whose transmits leave by the socket of their local address, until `done`.
template <Machine M, class Notify>
drivers::Loop::Outcome run_machine(drivers::Loop& loop, Sockets& sockets, M& machine, Notify notify,
                                   std::move_only_function<bool()> done, Duration at_most) {
    nat_probe::DatagramDrive drive{loop, sockets, machine, std::move(notify)};
    drive.pump();
    return loop.run_until(std::move(done), at_most);
}

}  // namespace stile::probe
