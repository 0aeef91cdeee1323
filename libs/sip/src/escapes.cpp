// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "escapes.hpp"

#include "scan.hpp"

#include <stile/sip/uri.hpp>

namespace stile::sip {

using scan::Class;

namespace {

constexpr std::string_view hex_digits = "0123456789ABCDEF";

std::string escape(std::string_view text, unsigned allowed) {
    std::string result;
    for (const char c : text) {
        if (scan::is(c, allowed)) {
            result += c;
        } else {
            append_escaped(result, c);
        }
    }
    return result;
}

}  // namespace

void append_escaped(std::string& text, char c) {
    const auto octet = static_cast<unsigned char>(c);
    text += '%';
    text += hex_digits[octet >> 4U];
    text += hex_digits[octet & 0x0FU];
}

std::optional<char> escaped_octet(std::string_view text, std::size_t at) {
    if (text[at] != '%' || at + 2 >= text.size()) return std::nullopt;
    const int high = scan::hex_value(text[at + 1]);
    const int low = scan::hex_value(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<char>(high * 16 + low);
}

std::string unescape(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = escaped_octet(text, i);
        plain += octet.value_or(text[i]);
        if (octet) i += 2;
    }
    return plain;
}

std::string escape_user(std::string_view text) {
    return escape(text, Class::Unreserved | Class::UserExtra);
}
std::string escape_parameter(std::string_view text) {
    return escape(text, Class::Unreserved | Class::ParamExtra);
}
std::string escape_header(std::string_view text) {
    return escape(text, Class::Unreserved | Class::HeaderExtra);
}

}  // namespace stile::sip
