// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/embedded_ipv4.hpp>

#include <algorithm>
#include <array>

namespace stile::turn {
namespace {

constexpr std::size_t ipv4_octets = 4;

constexpr IpAddress v6(std::array<std::uint8_t, 16> octets) {
    std::array<std::byte, 16> bytes{};
    for (std::size_t i = 0; i < octets.size(); ++i) bytes[i] = std::byte{octets[i]};
    return IpAddress::v6(bytes);
}

struct Form {
    IpPrefix prefix;
    Disguise disguise;
    std::size_t offset;
};
constexpr Form form(IpAddress base, std::uint8_t length, Disguise disguise, std::size_t offset) {
    return {.prefix = {.address = base, .length = length}, .disguise = disguise, .offset = offset};
}

constexpr std::array forms{
    form(v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}), 96, Disguise::Mapped, 12),
    form(v6({0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}), 96, Disguise::Translated, 12),
    form(v6({}), 96, Disguise::Compatible, 12),
    form(v6({0x20, 0x02}), 16, Disguise::SixToFour, 2),
    form(v6({0x20, 0x01}), 32, Disguise::Teredo, 12),
    form(v6({0x00, 0x64, 0xff, 0x9b}), 96, Disguise::Nat64, 12),
};

// RFC 5214 Section 6.1: 0000:5efe or 0200:5efe before an IPv4 address.
bool is_isatap(BytesView octets) {
    return (octets[8] & std::byte{0xFD}) == std::byte{0} && octets[9] == std::byte{0} &&
           octets[10] == std::byte{0x5E} && octets[11] == std::byte{0xFE};
}

// RFC 6052 Section 2.2: behind the prefix, but never in bits 64 to 71.
IpAddress behind(BytesView octets, unsigned prefix_bits) {
    std::array<std::byte, ipv4_octets> inner{};
    std::size_t at = prefix_bits / 8;
    for (std::byte& octet : inner) {
        if (at == 8) ++at;
        octet = octets[at++];
    }
    return IpAddress::from_octets(inner);
}

}  // namespace

std::optional<EmbeddedIpv4> embedded_ipv4(const IpAddress& address,
                                          std::span<const IpPrefix> nat64) {
    if (address.is_v4()) return std::nullopt;
    const BytesView octets = address.octets();
    for (const IpPrefix& prefix : nat64) {
        if (!prefix.contains(address)) continue;
        return EmbeddedIpv4{.address = behind(octets, prefix.length), .disguise = Disguise::Nat64};
    }
    for (const Form& each : forms) {
        if (!each.prefix.contains(address)) continue;
        std::array<std::byte, ipv4_octets> inner{};
        std::ranges::copy(octets.subspan(each.offset, ipv4_octets), inner.begin());
        if (each.disguise == Disguise::Teredo) {
            for (std::byte& octet : inner) octet = ~octet;
        }
        // :: and ::1 are addresses of their own. RFC 4291 Sections 2.5.2 and 2.5.3.
        const IpAddress found = IpAddress::from_octets(inner);
        if (each.disguise == Disguise::Compatible && found <= IpAddress::v4({0, 0, 0, 1})) break;
        return EmbeddedIpv4{.address = found, .disguise = each.disguise};
    }
    if (is_isatap(octets)) {
        return EmbeddedIpv4{.address = IpAddress::from_octets(octets.last(ipv4_octets)),
                            .disguise = Disguise::Isatap};
    }
    return std::nullopt;
}

}  // namespace stile::turn
