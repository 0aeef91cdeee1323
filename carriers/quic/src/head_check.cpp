// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "head_check.hpp"

#include <stile/base/text.hpp>
#include <stile/quic/limits.hpp>

#include <algorithm>

namespace stile::quic {
namespace {

bool is_token_character(char c) {
    return is_alnum(c) || std::string_view{"!#$%&'*+-.^_`|~"}.contains(c);
}

bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_token_character);
}

// RFC 9110 Section 5.5.
bool is_value(std::string_view text) {
    const auto allowed = [](char c) { return c == '\t' || (c >= 0x20 && c != 0x7F) || c < 0; };
    return std::ranges::all_of(text, allowed) && trim(text) == text;
}

bool is_valid(const Field& field) {
    const bool lower = std::ranges::none_of(field.name, [](char c) { return c != ascii_lower(c); });
    return lower && is_token(field.name) && is_value(field.value);
}

}  // namespace

std::size_t counted_octets(std::string_view name, std::string_view value) {
    return name.size() + value.size() + 32;
}

bool are_valid(const std::vector<Field>& fields) {
    std::size_t octets = 0;
    for (const Field& field : fields) octets += counted_octets(field.name, field.value);
    return fields.size() <= most_fields && octets <= most_field_section_octets &&
           std::ranges::all_of(fields, [](const Field& field) { return is_valid(field); });
}

bool is_valid(const RequestHead& head) {
    if (!is_token(head.method) || !are_valid(head.fields)) return false;
    for (const std::string_view value :
         {std::string_view{head.scheme}, std::string_view{head.authority},
          std::string_view{head.path}}) {
        if (!is_value(value) || value.size() > most_field_section_octets) return false;
    }
    if (head.method == "CONNECT" && !head.protocol) {
        return !head.authority.empty() && head.scheme.empty() && head.path.empty();
    }
    if (head.protocol && (head.method != "CONNECT" || !is_token(*head.protocol))) return false;
    return !head.scheme.empty() && !head.authority.empty() && !head.path.empty();
}

bool is_valid(const ResponseHead& head) {
    // 101 has no meaning in HTTP/3. RFC 9114 Section 4.5.
    return head.status >= 100 && head.status <= 999 && head.status != 101 && are_valid(head.fields);
}

}  // namespace stile::quic
