// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/suggestion.hpp>

#include <algorithm>
#include <vector>

namespace stile::app {
namespace {

constexpr std::size_t most_slips = 2;

// Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours.
std::size_t distance(std::string_view left, std::string_view right) {
    const std::size_t columns = right.size() + 1;
    std::vector<std::size_t> table((left.size() + 1) * columns);
    const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
        return table[i * columns + j];
    };
    for (std::size_t i = 0; i <= left.size(); ++i) at(i, 0) = i;
    for (std::size_t j = 0; j <= right.size(); ++j) at(0, j) = j;
    for (std::size_t i = 1; i <= left.size(); ++i) {
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t cost = left[i - 1] == right[j - 1] ? 0 : 1;
            std::size_t best =
                std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost});
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
                best = std::min(best, at(i - 2, j - 2) + 1);
            }
            at(i, j) = best;
        }
    }
    return at(left.size(), right.size());
}

}  // namespace

std::optional<std::string_view> suggest(std::string_view typed,
                                        std::span<const std::string_view> known) {
    std::optional<std::string_view> nearest;
    std::size_t least = most_slips + 1;
    for (const std::string_view word : known) {
        const std::size_t slips = distance(typed, word);
        if (slips < least && slips * 2 < word.size()) {
            least = slips;
            nearest = word;
        }
    }
    return nearest;
}

}  // namespace stile::app
