// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <expected>
#include <memory>

namespace stile::nat_probe {

// A UDP socket at a random port: one that was used lately would spoil the findings. RFC 5780
// Section 4.1.
std::expected<std::unique_ptr<drivers::UdpSocket>, drivers::OsError> open_unused_socket(
    drivers::Loop& loop, crypto::RandomStream& random, const IpAddress& local);

}  // namespace stile::nat_probe
