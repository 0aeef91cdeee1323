// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <expected>
#include <optional>

namespace stile::relay {

// The header of the PROXY protocol, version 2, with which a load balancer in front says who
// connected to it. It comes once, before anything else on the connection.
struct ProxyHeader {
    std::size_t octets = 0;  // of the whole header: what follows is the client's
    // Who connected, and to what. Absent where the balancer speaks for itself (a health check), or
    // the client came by something that is not TCP over IP: the connection's own addresses count.
    std::optional<Path> addresses;  // `remote` is the client
};

enum class ProxyError : std::uint8_t {
    Incomplete,  // more octets are needed
    NotProxy,    // it begins otherwise
    Malformed,   // another version, an unknown command, or fewer octets than its family needs
    TooLong,     // more than most_proxy_octets
};

// Addresses take 36 octets at most; the rest is extensions, which are skipped.
inline constexpr std::size_t most_proxy_octets = 4096;

[[nodiscard]] std::expected<ProxyHeader, ProxyError> parse_proxy_header(BytesView stream);

}  // namespace stile::relay
