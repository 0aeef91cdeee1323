// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/usage.hpp>

#include <stile/app/suggestion.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace stile::app {

Problem usage_problem(std::string_view program, std::string_view why,
                      std::span<const char* const> words,
                      std::span<const std::string_view> commands) {
    std::string known{program};
    std::string fix;
    for (const std::string_view word : words.subspan(std::min<std::size_t>(1, words.size()))) {
        if (word.starts_with('-')) continue;
        if (std::ranges::find(commands, word) == commands.end()) {
            const auto guess = suggest(word, commands);
            if (guess) fix = fmt::format("did you mean '{} {}'?", known, *guess);
            break;
        }
        known += fmt::format(" {}", word);
    }
    if (fix.empty()) fix = fmt::format("see '{} --help'", known);
    return {ExitCode::Usage, "This command is not understood", std::string{why}, "",
            std::move(fix)};
}

}  // namespace stile::app
