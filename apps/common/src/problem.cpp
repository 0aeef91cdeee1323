// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/problem.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <cstdio>

namespace stile::app {

namespace {

// The length of the UTF-8 sequence at the front, or 0 where there is none. RFC 3629 Section 4.
std::size_t sequence_length(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = octet(0);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((octet(i) & 0xC0U) != 0x80) return 0;
    }
    return length;
}

// C0 and C1 controls, and what changes the direction of the text around it.
bool drives_terminal(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
    const auto second = static_cast<unsigned char>(sequence[1]);
    if (sequence.size() == 2) return first == 0xC2 && second < 0xA0;
    if (sequence.size() != 3 || first != 0xE2) return false;
    const auto third = static_cast<unsigned char>(sequence[2]);
    return (second == 0x80 &&
            (third == 0x8E || third == 0x8F || (third >= 0xAA && third <= 0xAE))) ||
           (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        const std::string_view next = text.substr(0, std::max<std::size_t>(length, 1));
        if (length > 0 && !drives_terminal(next)) {
            safe += next;
        } else {
            for (const char c : next)
                safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
        text.remove_prefix(next.size());
    }
    return safe;
}

std::string to_text(const Problem& problem) {
    std::string text = fmt::format("✗ {}\n", printable(problem.what));
    const auto line = [&text](std::string_view label, std::string_view content) {
        if (!content.empty()) text += fmt::format("  {:<9} {}\n", label, printable(content));
    };
    line("cause", problem.cause);
    line("evidence", problem.evidence);
    line("fix", problem.fix);
    return text;
}

int fail(const Problem& problem) {
    const std::string text = to_text(problem);
    std::fwrite(text.data(), 1, text.size(), stderr);
    return static_cast<int>(problem.code);
}

}  // namespace stile::app
