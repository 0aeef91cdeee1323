// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/opaque_string.hpp>

#include <cstdint>

namespace stile::stun {
namespace {

// Takes one code point from the front; absent if there is no well-formed one (RFC 3629).
std::optional<std::uint32_t> take_code_point(std::string_view& rest) {
    const auto octet = [&rest](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(rest[i]));
    };
    const std::uint32_t lead = octet(0);
    std::size_t size = 1;
    std::uint32_t least = 0;
    std::uint32_t point = lead;
    if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4, least = 0x10000, point = lead & 0x07U;
    } else if (lead >= 0xE0 && lead < 0xF0) {
        size = 3, least = 0x800, point = lead & 0x0FU;
    } else if (lead >= 0xC2 && lead < 0xE0) {
        size = 2, least = 0x80, point = lead & 0x1FU;
    } else if (lead >= 0x80) {
        return std::nullopt;
    }
    if (rest.size() < size) return std::nullopt;
    for (std::size_t i = 1; i < size; ++i) {
        if ((octet(i) & 0xC0U) != 0x80U) return std::nullopt;
        point = point << 6U | (octet(i) & 0x3FU);
    }
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point < least || point > 0x10FFFF || surrogate) return std::nullopt;
    rest.remove_prefix(size);
    return point;
}

bool is_control(std::uint32_t point) { return point < 0x20 || (point >= 0x7F && point < 0xA0); }

// The code points of category Zs besides U+0020.
bool is_other_space(std::uint32_t point) {
    return point == 0x00A0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
           point == 0x202F || point == 0x205F || point == 0x3000;
}

}  // namespace

std::optional<std::string> opaque_string(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::string prepared;
    prepared.reserve(text.size());
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view before = rest;
        const auto point = take_code_point(rest);
        if (!point || is_control(*point)) return std::nullopt;
        if (is_other_space(*point)) {
            prepared += ' ';
        } else {
            prepared += before.substr(0, before.size() - rest.size());
        }
    }
    return prepared;
}

}  // namespace stile::stun
