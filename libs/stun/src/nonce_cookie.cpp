// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/encoding.hpp>
#include <stile/stun/nonce_cookie.hpp>

#include <array>

namespace stile::stun {
namespace {

constexpr std::string_view prefix = "obMatJos2";

}  // namespace

std::string nonce_cookie(SecurityFeatures features) {
    const std::array<std::byte, 3> octets{
        static_cast<std::byte>((features.bits >> 16U) & 0xFFU),
        static_cast<std::byte>((features.bits >> 8U) & 0xFFU),
        static_cast<std::byte>(features.bits & 0xFFU),
    };
    return std::string{prefix} + to_base64(octets);
}

std::optional<SecurityFeatures> parse_nonce_cookie(std::string_view nonce) {
    if (nonce.size() < nonce_cookie_octets || !nonce.starts_with(prefix)) return std::nullopt;
    const auto octets = from_base64(nonce.substr(prefix.size(), 4));
    if (!octets || octets->size() != 3) return std::nullopt;
    std::uint32_t bits = 0;
    for (const std::byte octet : *octets) bits = bits << 8U | std::to_integer<std::uint32_t>(octet);
    return SecurityFeatures{bits};
}

}  // namespace stile::stun
