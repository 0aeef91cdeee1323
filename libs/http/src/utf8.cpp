// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "utf8.hpp"

namespace stile::http {

char32_t take_character(std::string_view& rest) {
    const auto octet_at = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
    const unsigned char first = octet_at(0);
    std::size_t length = 1;
    char32_t character = first;
    char32_t least = 0;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2, character = first & 0x1FU, least = 0x80;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3, character = first & 0x0FU, least = 0x800;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4, character = first & 0x07U, least = 0x10000;
    }
    bool well_formed = (first < 0x80 || length > 1) && rest.size() >= length;
    for (std::size_t i = 1; well_formed && i < length; ++i) {
        well_formed = (octet_at(i) & 0xC0U) == 0x80;
        character = (character << 6U) | (octet_at(i) & 0x3FU);
    }
    well_formed = well_formed && character >= least && character <= 0x10FFFF &&
                  !(character >= 0xD800 && character <= 0xDFFF);
    rest.remove_prefix(well_formed ? length : 1);
    return well_formed ? character : replacement_character;
}

void append_utf8(std::string& text, char32_t character) {
    const auto add = [&](char32_t octet) { text += static_cast<char>(octet); };
    if (character < 0x80) {
        add(character);
    } else if (character < 0x800) {
        add(0xC0U | (character >> 6U));
        add(0x80U | (character & 0x3FU));
    } else if (character < 0x10000) {
        add(0xE0U | (character >> 12U));
        add(0x80U | ((character >> 6U) & 0x3FU));
        add(0x80U | (character & 0x3FU));
    } else {
        add(0xF0U | (character >> 18U));
        add(0x80U | ((character >> 12U) & 0x3FU));
        add(0x80U | ((character >> 6U) & 0x3FU));
        add(0x80U | (character & 0x3FU));
    }
}

std::string escape_markup(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size() + text.size() / 8);
    while (!text.empty()) {
        const char32_t c = take_character(text);
        switch (c) {
            case U'&':
                escaped += "&amp;";
                break;
            case U'<':
                escaped += "&lt;";
                break;
            case U'>':
                escaped += "&gt;";
                break;
            case U'"':
                escaped += "&quot;";
                break;
            case U'\'':
                escaped += "&#39;";
                break;
            default:  // no character of markup
                append_utf8(escaped, is_xml_character(c) && c != 0x7F ? c : replacement_character);
        }
    }
    return escaped;
}

}  // namespace stile::http
