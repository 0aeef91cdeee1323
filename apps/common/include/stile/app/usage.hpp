// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>

#include <span>
#include <string_view>

namespace stile::app {

// Why a command line is not understood, with the word that was meant where one of `commands` is
// near, else where help is. `words` are main's, the program's name first.
Problem usage_problem(std::string_view program, std::string_view why,
                      std::span<const char* const> words,
                      std::span<const std::string_view> commands);

}  // namespace stile::app
