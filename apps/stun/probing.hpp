// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange.hpp"
#include "output.hpp"

#include <stile/drivers/drive.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <array>
#include <span>

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
    const auto send = [&](const Transmit& transmit) {
        for (auto& socket : sockets) {
            if (socket->local_address() == transmit.path.local) socket->send(transmit);
        }
    };
    drivers::Drive drive{loop, machine, send, std::move(notify)};
    for (auto& socket : sockets) {
        socket->on_datagrams([&](std::span<const drivers::Datagram> batch) {
            for (const drivers::Datagram& datagram : batch) {
                machine.handle_datagram(loop.now(), datagram.path, datagram.payload);
            }
            drive.pump();
        });
    }
    drive.pump();
    const auto outcome = loop.run_until(std::move(done), at_most);
    for (auto& socket : sockets) socket->on_datagrams({});
    return outcome;
}

}  // namespace stile::probe
