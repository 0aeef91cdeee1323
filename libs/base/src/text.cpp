// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/text.hpp>

#include <algorithm>
#include <charconv>

namespace stile {

bool iequals(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, {}, ascii_lower, ascii_lower);
}

std::string to_lower(std::string_view text) {
    std::string lower{text};
    std::ranges::transform(lower, lower.begin(), ascii_lower);
    return lower;
}

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t most) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value > most) return std::nullopt;
    return value;
}

std::string_view take_until(std::string_view& rest, char separator) {
    const std::size_t at = rest.find(separator);
    const std::string_view taken = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return taken;
}

}  // namespace stile
