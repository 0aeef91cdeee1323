// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/encoding.hpp>

#include <stile/base/text.hpp>

namespace stile {
namespace {

constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view hex_digits = "0123456789abcdef";

std::string encode(BytesView bytes, std::string_view alphabet) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const std::byte octet : bytes) {
        bits = bits << 8U | std::to_integer<std::uint32_t>(octet);
        for (held += 8; held >= 6; held -= 6) text += alphabet[bits >> (held - 6) & 63U];
    }
    if (held > 0) text += alphabet[bits << (6 - held) & 63U];
    return text;
}

std::optional<Bytes> decode(std::string_view text, std::string_view alphabet) {
    if (text.size() % 4 == 1) return std::nullopt;
    Bytes bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6U | static_cast<std::uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes.push_back(static_cast<std::byte>(bits >> held & 0xFFU));
        }
    }
    if ((bits & ((1U << held) - 1U)) != 0) return std::nullopt;
    return bytes;
}

}  // namespace

std::string to_base64(BytesView bytes) {
    std::string text = encode(bytes, standard_alphabet);
    while (text.size() % 4 != 0) text += '=';
    return text;
}

std::string to_base64url(BytesView bytes) { return encode(bytes, url_alphabet); }

std::optional<Bytes> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with('=')) text.remove_suffix(1);
    if (text.ends_with('=')) text.remove_suffix(1);
    return decode(text, standard_alphabet);
}

std::optional<Bytes> from_base64url(std::string_view text) { return decode(text, url_alphabet); }

std::string to_hex(BytesView bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte octet : bytes) {
        text += hex_digits[std::to_integer<std::size_t>(octet >> 4U)];
        text += hex_digits[std::to_integer<std::size_t>(octet & std::byte{15})];
    }
    return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const std::size_t high = hex_digits.find(ascii_lower(text[i]));
        const std::size_t low = hex_digits.find(ascii_lower(text[i + 1]));
        if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(high << 4U | low));
    }
    return bytes;
}

}  // namespace stile
