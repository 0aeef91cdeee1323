// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/problem.hpp>

#include <fmt/format.h>
#include <cstdio>

namespace stile::app {

std::string printable(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7F) {
            safe += fmt::format("\\x{:02x}", octet);
        } else {
            safe += c;
        }
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
