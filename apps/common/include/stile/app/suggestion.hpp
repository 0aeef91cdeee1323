// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stile::app {

// The known word that somebody who typed this may have meant: at most two slips away (letters
// missing, added, wrong or swapped), and less than half of the word.
std::optional<std::string_view> suggest(std::string_view typed,
                                        std::span<const std::string_view> known);

}  // namespace stile::app
