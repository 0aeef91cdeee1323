// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/fields.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>
#include <stile/http/limits.hpp>

#include <algorithm>

namespace stile::http {

namespace {

constexpr bool is_token_char(char c) {
    return is_alnum(c) || std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

constexpr bool is_control(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t') || octet == 0x7F;
}

}  // namespace

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::optional<std::string_view> Fields::get(std::string_view name) const {
    for (const Field& field : list_) {
        if (iequals(field.name, name)) return field.value;
    }
    return {};
}

std::optional<std::string> Fields::combined(std::string_view name) const {
    std::optional<std::string> joined;
    for (const Field& field : list_) {
        if (!iequals(field.name, name)) continue;
        if (joined) {
            *joined += ", " + field.value;
        } else {
            joined = field.value;
        }
    }
    return joined;
}

std::size_t Fields::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        list_.begin(), list_.end(), [&](const Field& field) { return iequals(field.name, name); }));
}

void Fields::add(std::string_view name, std::string_view value) {
    STILE_ASSERT(is_token(name));
    Field& field = list_.emplace_back(Field{to_lower(name), std::string{value}});
    std::replace_if(field.value.begin(), field.value.end(), is_control, ' ');
    octets_ += field.name.size() + field.value.size();
}

void Fields::set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
}

std::size_t Fields::remove(std::string_view name) {
    return std::erase_if(list_, [&](const Field& field) {
        const bool found = iequals(field.name, name);
        if (found) octets_ -= field.name.size() + field.value.size();
        return found;
    });
}

std::expected<void, FieldError> Fields::receive(std::string_view name, std::string_view value) {
    if (!is_token(name)) return std::unexpected(FieldError::BadName);
    const std::string_view trimmed = trim(value);
    if (std::any_of(trimmed.begin(), trimmed.end(), is_control)) {
        return std::unexpected(FieldError::BadValue);
    }
    if (list_.size() >= limits::fields) return std::unexpected(FieldError::TooMany);
    if (name.size() + trimmed.size() > limits::field_octets ||
        octets_ + name.size() + trimmed.size() > limits::field_octets) {
        return std::unexpected(FieldError::TooLarge);
    }
    add(name, trimmed);
    return {};
}

}  // namespace stile::http
