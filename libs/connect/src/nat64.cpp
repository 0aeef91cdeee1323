// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/nat64.hpp>

#include <algorithm>
#include <array>

namespace stile::connect {
namespace {

constexpr std::size_t reserved_octet = 8;  // "u", bits 64 to 71: always zero

constexpr std::array<std::byte, 16> well_known_octets{std::byte{0x00}, std::byte{0x64},
                                                      std::byte{0xFF}, std::byte{0x9B}};

bool is_global(const IpAddress& v4) {
    return !v4.is_private() && !v4.is_loopback() && !v4.is_link_local() && !v4.is_multicast() &&
           !v4.is_unspecified();
}

}  // namespace

Nat64Prefix Nat64Prefix::well_known() {
    return Nat64Prefix{{.address = IpAddress::v6(well_known_octets), .length = 96}};
}

std::optional<Nat64Prefix> Nat64Prefix::from(const IpPrefix& prefix) {
    constexpr std::array<std::uint8_t, 6> lengths{32, 40, 48, 56, 64, 96};
    if (!prefix.address.is_v6() || std::ranges::find(lengths, prefix.length) == lengths.end()) {
        return std::nullopt;
    }
    std::array<std::byte, 16> octets{};
    std::ranges::copy(prefix.address.octets().first(prefix.length / 8U), octets.begin());
    if (octets[reserved_octet] != std::byte{0}) return std::nullopt;
    return Nat64Prefix{{.address = IpAddress::v6(octets), .length = prefix.length}};
}

std::optional<IpAddress> Nat64Prefix::embed(const IpAddress& v4) const {
    if (!v4.is_v4()) return std::nullopt;
    if (*this == well_known() && !is_global(v4)) return std::nullopt;
    std::array<std::byte, 16> octets{};
    std::ranges::copy(prefix_.address.octets(), octets.begin());
    // RFC 6052 Section 2.2: the four octets follow the prefix, around the reserved one.
    std::size_t position = prefix_.length / 8U;
    for (const std::byte octet : v4.octets()) {
        if (position == reserved_octet) ++position;
        octets[position++] = octet;
    }
    return IpAddress::v6(octets);
}

}  // namespace stile::connect
