// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/text.hpp>

namespace stile::http {

// Takes the next member of a comma-separated list whose commas inside quotes or angle brackets do
// not separate. Spaces around it are dropped; it may be empty (RFC 9110 Section 5.6.1.2).
inline std::string_view take_member(std::string_view& rest) {
    bool quoted = false;
    bool bracketed = false;
    std::size_t end = 0;
    for (; end < rest.size(); ++end) {
        const char c = rest[end];
        if (quoted && c == '\\') {
            ++end;
        } else if (c == '"' && !bracketed) {
            quoted = !quoted;
        } else if (!quoted && (c == '<' || c == '>')) {
            bracketed = c == '<';
        } else if (c == ',' && !quoted && !bracketed) {
            break;
        }
    }
    const std::string_view member = trim(rest.substr(0, end));
    rest.remove_prefix(end < rest.size() ? end + 1 : rest.size());
    return member;
}

}  // namespace stile::http
