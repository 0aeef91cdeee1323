// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/grouping.hpp>

#include "lexer.hpp"

namespace stile::sdp {

std::expected<Mid, AttributeError> Mid::parse(std::string_view value) {
    if (!lexer::is_token(value)) return std::unexpected(AttributeError::Malformed);
    return Mid{std::string{value}};
}

bool Group::is_bundle() const { return iequals(semantics, "BUNDLE"); }

std::expected<Group, AttributeError> Group::parse(std::string_view value) {
    std::string_view rest = trim(value);
    Group group;
    group.semantics = lexer::next_word(rest);
    if (!lexer::is_token(group.semantics)) return std::unexpected(AttributeError::Malformed);
    while (!rest.empty()) {
        const std::string_view mid = lexer::next_word(rest);
        if (!lexer::is_token(mid)) return std::unexpected(AttributeError::Malformed);
        group.mids.emplace_back(mid);
    }
    return group;
}

std::optional<std::string> Group::value() const {
    std::string text = semantics;
    for (const std::string& mid : mids) text += ' ' + mid;
    return text;
}

}  // namespace stile::sdp
