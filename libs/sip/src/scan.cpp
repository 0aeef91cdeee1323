// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace stile::sip::scan {
namespace {

constexpr std::size_t block_octets = 64;

// A bit for each CR or LF of a block.
std::uint64_t line_breaks(const char* block) {
    std::uint64_t mask = 0;
#ifdef __SSE2__
    const __m128i returns = _mm_set1_epi8('\r');
    const __m128i feeds = _mm_set1_epi8('\n');
    for (std::size_t at = 0; at < block_octets; at += sizeof(__m128i)) {
        __m128i piece;
        std::memcpy(&piece, block + at, sizeof piece);
        const __m128i found =
            _mm_or_si128(_mm_cmpeq_epi8(piece, returns), _mm_cmpeq_epi8(piece, feeds));
        mask |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(found))} << at;
    }
#else
    for (std::size_t at = 0; at < block_octets; ++at) {
        const bool found = block[at] == '\r' || block[at] == '\n';
        mask |= std::uint64_t{found} << at;
    }
#endif
    return mask;
}

}  // namespace

void LineBreaks::read_block() {
    block_ = next_block_;
    next_block_ += block_octets;
    if (next_block_ <= text_.size()) {
        mask_ = line_breaks(text_.data() + block_);
        return;
    }
    std::array<char, block_octets> last{};
    std::ranges::copy(text_.substr(block_), last.begin());
    mask_ = line_breaks(last.data());
}

std::size_t find_comma(std::string_view text) {
    std::size_t at = 0;
    for (;;) {
        at += span(text.substr(at), Element);
        if (at == text.size() || text[at] == ',') return at;
        const bool quoted = text[at] == '"';
        for (++at; at < text.size() && text[at] != (quoted ? '"' : '>'); ++at) {
            if (quoted && text[at] == '\\') ++at;
        }
        if (at >= text.size()) return text.size();
        ++at;
    }
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
    for (std::size_t i = span(text, bits); i < text.size(); ++i) {
        if (is(text[i], bits)) continue;
        if (text[i] != '%' || i + 2 >= text.size()) return false;
        if (hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return false;
        i += 2;
    }
    return true;
}

}  // namespace stile::sip::scan
