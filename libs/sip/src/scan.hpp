// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/text.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The one tokeniser: parsers, editors and comparisons all cut text with these. After unfolding,
// white space is SP and HT only.
namespace stile::sip::scan {

enum Class : std::uint16_t {
    Token = 1,         // token, RFC 3261 Section 25.1
    Word = 2,          // word: Call-ID
    Unreserved = 4,    // unreserved: alphanum / mark
    UserExtra = 8,     // user-unreserved
    ParamExtra = 16,   // param-unreserved
    HeaderExtra = 32,  // hnv-unreserved
    HeaderValue = 64,  // what an unquoted header parameter value may hold here, see is_plain_value
    Uric = 128,        // RFC 2396 uric and what is seen in other schemes
    HostName = 256,    // labels and dots, see is_host_name
    Element = 512,     // what neither ends an element of a list nor quotes: all but , " <
};

constexpr std::array<std::uint16_t, 256> make_classes() {
    std::array<std::uint16_t, 256> classes{};
    const auto mark = [&classes](std::string_view characters, unsigned bits) {
        for (const char c : characters) {
            auto& entry = classes[static_cast<unsigned char>(c)];
            entry = static_cast<std::uint16_t>(entry | bits);
        }
    };
    for (std::size_t c = 0; c < classes.size(); ++c) {
        if (c != ',' && c != '"' && c != '<') classes[c] = Element;
    }
    for (int c = 0x21; c < 0x7F; ++c) {
        const char character = static_cast<char>(c);
        const std::string_view one{&character, 1};
        if (is_alnum(character)) mark(one, Token | Word | Unreserved | Uric | HostName);
        if (std::string_view{"\",;<>\\"}.find(character) == std::string_view::npos) {
            mark(one, HeaderValue);
        }
    }
    mark("-.!%*_+`'~", Token);
    mark("-.!%*_+`'~()<>:\\\"/[]?{}", Word);
    mark("-_.!~*'()", Unreserved | Uric);
    mark("&=+$,;?/", UserExtra | Uric);
    mark("[]/:&+$", ParamExtra);
    mark("[]/?:+$", HeaderExtra);
    mark(":@%#[]", Uric);
    mark(".-_", HostName);
    return classes;
}

inline constexpr std::array<std::uint16_t, 256> classes = make_classes();

constexpr bool is(char c, unsigned bits) {
    return (classes[static_cast<unsigned char>(c)] & bits) != 0;
}
// How many characters of these classes stand at the front.
constexpr std::size_t span(std::string_view text, unsigned bits) {
    std::size_t i = 0;
    // Eight at a time: this is most of what parsing costs.
    for (; i + 8 <= text.size(); i += 8) {
        const char* const at = text.data() + i;
        if (!is(at[0], bits) || !is(at[1], bits) || !is(at[2], bits) || !is(at[3], bits) ||
            !is(at[4], bits) || !is(at[5], bits) || !is(at[6], bits) || !is(at[7], bits)) {
            break;
        }
    }
    while (i < text.size() && is(text[i], bits)) ++i;
    return i;
}
constexpr bool all(std::string_view text, unsigned bits) { return span(text, bits) == text.size(); }
constexpr bool is_token(std::string_view text) { return !text.empty() && all(text, Token); }

constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }
constexpr void skip_space(std::string_view& text) {
    std::size_t i = 0;
    while (i < text.size() && is_space(text[i])) ++i;
    text.remove_prefix(i);
}
constexpr std::string_view trimmed(std::string_view text) {
    skip_space(text);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// Where the first character of `any`, a handful, stands; npos where there is none.
constexpr std::size_t find_any(std::string_view text, std::string_view any) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        for (const char one : any) {
            if (text[i] == one) return i;
        }
    }
    return std::string_view::npos;
}

// Where CR and LF stand, one after the other: 64 octets are looked at in one go.
class LineBreaks {
public:
    LineBreaks() = default;
    // Lives as long as the text. Positions are the text's, from `begin` on.
    LineBreaks(std::string_view text, std::size_t begin) : text_(text), next_block_(begin) {}
    // The next one; text.size() where there is none.
    std::size_t next() {
        while (mask_ == 0) {
            if (next_block_ >= text_.size()) return text_.size();
            read_block();
        }
        const auto at = static_cast<std::size_t>(std::countr_zero(mask_));
        mask_ &= mask_ - 1;
        return block_ + at;
    }

private:
    void read_block();

    std::string_view text_;
    std::size_t block_ = 0;   // where the octets of mask_ begin
    std::uint64_t mask_ = 0;  // a bit for each break that is still to come
    std::size_t next_block_ = 0;
};

// Takes the characters of these classes from the front.
constexpr std::string_view take(std::string_view& text, unsigned bits) {
    const std::string_view taken = text.substr(0, span(text, bits));
    text.remove_prefix(taken.size());
    return taken;
}
inline std::string_view take_token(std::string_view& text) { return take(text, Token); }

// Takes `c` with white space on both sides of it.
constexpr bool take_separator(std::string_view& text, char c) {
    std::string_view rest = text;
    skip_space(rest);
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    skip_space(rest);
    text = rest;
    return true;
}

// Takes a quoted-string, which the result includes the marks of. Empty if it is not closed.
constexpr std::optional<std::string_view> take_quoted(std::string_view& text) {
    if (text.empty() || text.front() != '"') return std::nullopt;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\r' || text[i] == '\n') return std::nullopt;
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] != '\r' && text[i + 1] != '\n') {
            ++i;
        } else if (text[i] == '"') {
            const std::string_view taken = text.substr(0, i + 1);
            text.remove_prefix(i + 1);
            return taken;
        }
    }
    return std::nullopt;
}

// Where the first comma outside of quotation marks and angle brackets stands; text.size() where
// there is none.
std::size_t find_comma(std::string_view text);

// Takes what stands before the first such comma, and the comma; all of it if there is none.
inline std::string_view take_element(std::string_view& text) {
    const std::size_t at = find_comma(text);
    const std::string_view taken{text.data(), at};
    text.remove_prefix(at == text.size() ? at : at + 1);
    return trimmed(taken);
}

// Without the marks and the backslashes of quoted-pairs; other text as it is.
std::string unquoted(std::string_view text);
// With marks, and a backslash before what needs one. CR and LF become spaces.
std::string quoted(std::string_view text);

// Characters of the classes, and "%" with two hexadecimal digits.
bool is_escaped_text(std::string_view text, unsigned bits);
int hex_value(char c);  // -1 if it is not a digit

}  // namespace stile::sip::scan
