// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace stile::app {

// Fields of an object that somebody else wrote. Empty where the value is no object, or the field is
// absent or of another kind: json's own value() throws for the last.
inline std::string text_of(const nlohmann::json& object, const char* field) {
    if (!object.is_object()) return {};
    const auto found = object.find(field);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// A whole number from 0 to `most`.
inline std::optional<std::uint64_t> number_of(const nlohmann::json& object, const char* field,
                                              std::uint64_t most) {
    if (!object.is_object()) return std::nullopt;
    const auto found = object.find(field);
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    const auto number = found->get<std::uint64_t>();
    return number <= most ? std::optional{number} : std::nullopt;
}

}  // namespace stile::app
