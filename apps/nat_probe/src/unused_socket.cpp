// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/unused_socket.hpp>

namespace stile::nat_probe {

std::expected<std::unique_ptr<drivers::UdpSocket>, drivers::OsError> open_unused_socket(
    drivers::Loop& loop, crypto::RandomStream& random, const IpAddress& local) {
    constexpr std::uint16_t first_port = 32'768;
    constexpr int tries = 20;  // ports that others hold are rare
    drivers::OsError error;
    for (int i = 0; i < tries; ++i) {
        const Port port{static_cast<std::uint16_t>(first_port + random.below(32'768))};
        auto socket = drivers::UdpSocket::open(loop, {.ip = local, .port = port});
        if (socket) return *std::move(socket);
        error = std::move(socket).error();
    }
    return std::unexpected(std::move(error));
}

}  // namespace stile::nat_probe
