// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/drive.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <memory>
#include <span>
#include <utility>

namespace stile::nat_probe {

// Drives a machine whose transmits leave by the socket of their local address, and which hears all
// that these sockets receive. The machine and the sockets must outlive this. Call pump() to begin.
template <class M, class Notify>
class DatagramDrive {
public:
    using Sockets = std::span<const std::unique_ptr<drivers::UdpSocket>>;

    DatagramDrive(drivers::Loop& loop, Sockets sockets, M& machine, Notify notify)
        : sockets_(sockets), drive_(loop, machine, Send{sockets}, std::move(notify)) {
        for (const auto& socket : sockets_) {
            socket->on_datagrams([this, &loop, &machine](std::span<const drivers::Datagram> batch) {
                for (const drivers::Datagram& datagram : batch) {
                    machine.handle_datagram(loop.now(), datagram.path, datagram.payload);
                }
                drive_.pump();
            });
        }
    }
    DatagramDrive(const DatagramDrive&) = delete;
    DatagramDrive& operator=(const DatagramDrive&) = delete;
    ~DatagramDrive() {
        for (const auto& socket : sockets_) socket->on_datagrams({});
    }

    void pump() { drive_.pump(); }

private:
    struct Send {
        Sockets sockets;
        void operator()(const Transmit& transmit) const {
            for (const auto& socket : sockets) {
                if (socket->local_address() == transmit.path.local) socket->send(transmit);
            }
        }
    };

    Sockets sockets_;
    drivers::Drive<M, Send, Notify> drive_;
};

}  // namespace stile::nat_probe
