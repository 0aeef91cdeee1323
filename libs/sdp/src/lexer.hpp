// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/text.hpp>

#include <algorithm>

// The small rules of RFC 8866 Section 9 that several parsers share.
namespace stile::sdp::lexer {

constexpr bool is_token_char(char c) {
    return is_alnum(c) || std::string_view{"!#$%&'*+-.^_`{|}~"}.find(c) != std::string_view::npos;
}
constexpr bool is_ice_char(char c) { return is_alnum(c) || c == '+' || c == '/'; }
constexpr bool is_visible(char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) != 0x7F;
}

inline bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}
inline bool is_ice_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), is_ice_char);
}
inline bool is_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_visible);
}
inline bool is_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// token *("/" token)
inline bool is_proto(std::string_view text) {
    if (text.empty() || text.back() == '/') return false;
    while (!text.empty()) {
        if (!is_token(take_until(text, '/'))) return false;
    }
    return true;
}

// The next word of a value whose words one space separates. Empty at the end and for two spaces in
// a row; both are errors wherever a word is needed.
inline std::string_view next_word(std::string_view& rest) { return take_until(rest, ' '); }

}  // namespace stile::sdp::lexer
