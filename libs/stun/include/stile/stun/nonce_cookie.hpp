// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace stile::stun {

// The 24 bits of RFC 8489 Section 18.1.
struct SecurityFeatures {
    static constexpr std::uint32_t password_algorithms = 0x800000;  // bit 0, the most significant
    static constexpr std::uint32_t username_anonymity = 0x400000;   // bit 1
    std::uint32_t bits = 0;

    bool has(std::uint32_t feature) const { return (bits & feature) != 0; }
    friend bool operator==(SecurityFeatures, SecurityFeatures) = default;
};

// RFC 8489 Section 9.2: "obMatJos2" and four base64 characters.
inline constexpr std::size_t nonce_cookie_octets = 13;
std::string nonce_cookie(SecurityFeatures features);
// Absent: the nonce does not begin with a cookie, its server is of RFC 5389.
std::optional<SecurityFeatures> parse_nonce_cookie(std::string_view nonce);

}  // namespace stile::stun
