// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stile::http {

inline constexpr char32_t replacement_character = 0xFFFD;

// Takes one character from the front of `rest`, which is not empty; U+FFFD for octets that are not
// UTF-8 (RFC 3629), one of them at a time.
char32_t take_character(std::string_view& rest);
// Requires: a code point that is not a surrogate.
void append_utf8(std::string& text, char32_t character);

// XML 1.0 Section 2.2: what a document can hold at all.
constexpr bool is_xml_character(char32_t c) {
    return c == 0x09 || c == 0x0A || c == 0x0D || (c >= 0x20 && c <= 0xD7FF) ||
           (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

// For text and attribute values of XML and HTML: & < > " ' become references, what cannot be said
// becomes U+FFFD. Tabs and line ends stay.
std::string escape_markup(std::string_view text);

}  // namespace stile::http
