// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>

#include <optional>
#include <span>

namespace stile::turn {

// The ways in which an IPv6 address can stand for an IPv4 address.
enum class Disguise : std::uint8_t {
    Mapped,      // ::ffff:a.b.c.d, RFC 4291
    Compatible,  // ::a.b.c.d, RFC 4291
    Translated,  // ::ffff:0:a.b.c.d, RFC 7915's predecessors
    SixToFour,   // 2002:a.b.c.d::/48, RFC 3056
    Teredo,      // 2001::/32, the client's address in the last 32 bits, inverted, RFC 4380
    Isatap,      // ...:0:5efe:a.b.c.d and ...:200:5efe:a.b.c.d, RFC 5214
    Nat64,       // 64:ff9b::a.b.c.d, or a prefix that the network uses, RFC 6052
};

struct EmbeddedIpv4 {
    IpAddress address;
    Disguise disguise = Disguise::Mapped;
    friend constexpr bool operator==(const EmbeddedIpv4&, const EmbeddedIpv4&) = default;
};

// RFC 6052 Section 2.2 knows prefixes of these lengths.
constexpr bool is_nat64_length(unsigned length) {
    return length == 32 || length == 40 || length == 48 || length == 56 || length == 64 ||
           length == 96;
}

// The one place that knows. Empty for an IPv4 address, and for an IPv6 address that is nothing but
// itself. Requires: the prefixes are of IPv6, with such a length.
std::optional<EmbeddedIpv4> embedded_ipv4(const IpAddress& address,
                                          std::span<const IpPrefix> nat64 = {});

}  // namespace stile::turn
