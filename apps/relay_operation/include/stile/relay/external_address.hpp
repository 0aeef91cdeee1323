// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <chrono>
#include <expected>
#include <string>

namespace stile::relay {

// How a STUN server sees a datagram from this local address: the external address of 1:1 NAT.
// Blocks for at most `patience`: for start and reload. The error is for a person.
std::expected<IpAddress, std::string> ask_external_address(
    const std::string& server, const IpAddress& local,
    std::chrono::milliseconds patience = std::chrono::seconds{3});

}  // namespace stile::relay
