// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace stile::sip::scan {
namespace {

// In each octet of the word that equals `octet` the high bit is set; above the first such one
// there may be others.
constexpr std::uint64_t matches(std::uint64_t word, std::uint8_t octet) {
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
    const std::uint64_t difference = word ^ (ones * octet);
    return (difference - ones) & ~difference & (ones * 0x80);
}

}  // namespace

std::size_t find_line_break(std::string_view text) {
    std::size_t at = 0;
#ifdef __SSE2__
    const __m128i returns = _mm_set1_epi8('\r');
    const __m128i feeds = _mm_set1_epi8('\n');
    for (; at + sizeof(__m128i) <= text.size(); at += sizeof(__m128i)) {
        __m128i piece;
        std::memcpy(&piece, text.data() + at, sizeof piece);
        const __m128i found =
            _mm_or_si128(_mm_cmpeq_epi8(piece, returns), _mm_cmpeq_epi8(piece, feeds));
        const int mask = _mm_movemask_epi8(found);
        if (mask != 0) {
            return at + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(mask)));
        }
    }
#endif
    if constexpr (std::endian::native == std::endian::little) {
        for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
            std::memcpy(&word, text.data() + at, sizeof word);
            const std::uint64_t found = matches(word, '\r') | matches(word, '\n');
            if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
        }
    }
    while (at < text.size() && text[at] != '\r' && text[at] != '\n') ++at;
    return at;
}

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
