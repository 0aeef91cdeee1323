// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <chrono>
#include <cstdint>

namespace stile::portmap {

enum class Protocol : std::uint8_t { Udp, Tcp };

// The port on which gateways listen for both protocols. RFC 6886 Section 3.1, RFC 6887
// Section 19.1.
inline constexpr Port server_port{5351};
// The port to which they announce, at 224.0.0.1 and ff02::1. RFC 6887 Section 14.1.
inline constexpr Port announcement_port{5350};

enum class ParseError : std::uint8_t {
    TooShort,
    BadLength,     // PCP: more than 1,100 octets, or not a multiple of 4
    NotAResponse,  // a request, or an operation that this library never asks for
    OtherVersion,  // neither NAT-PMP nor PCP version 2, and no refusal of our version
};

}  // namespace stile::portmap
