// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace stile {

// ASCII only: protocol text does not depend on a locale.
constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
constexpr bool is_alnum(char c) { return is_digit(c) || is_alpha(c); }

bool iequals(std::string_view left, std::string_view right);
std::string to_lower(std::string_view text);

// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text);

// Decimal digits only, the whole text; empty when it is not a number or larger than `most`.
std::optional<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t most);

// Takes what stands before the first `separator` from the front of `rest`, the separator too;
// everything where there is none.
std::string_view take_until(std::string_view& rest, char separator);

}  // namespace stile
