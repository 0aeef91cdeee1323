// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

namespace stile::sip::scan {

std::string unquoted(std::string_view text) {
    if (text.size() < 2 || text.front() != '"') return std::string{text};
    text = text.substr(1, text.size() - 2);
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        plain.push_back(text[i]);
    }
    return plain;
}

std::string quoted(std::string_view text) {
    std::string result;
    result.reserve(text.size() + 2);
    result.push_back('"');
    for (const char c : text) {
        if (c == '\r' || c == '\n') {
            result.push_back(' ');
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        const bool control = (octet < 0x20 && c != '\t') || octet == 0x7F;
        if (c == '"' || c == '\\' || control) result.push_back('\\');
        result.push_back(c);
    }
    result.push_back('"');
    return result;
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_escaped_text(std::string_view text, unsigned bits) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is(text[i], bits)) continue;
        if (text[i] != '%' || i + 2 >= text.size()) return false;
        if (hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return false;
        i += 2;
    }
    return true;
}

}  // namespace stile::sip::scan
