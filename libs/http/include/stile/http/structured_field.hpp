// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <optional>
#include <variant>

// Structured fields (RFC 8941), as much as dictionaries of plain items need.
namespace stile::http {

struct Token {
    std::string text;
    friend bool operator==(const Token&, const Token&) = default;
};
struct Decimal {
    std::int64_t thousandths = 0;
    friend bool operator==(const Decimal&, const Decimal&) = default;
};
// Members that are lists are read over and kept as this.
struct InnerList {
    friend bool operator==(const InnerList&, const InnerList&) = default;
};

using BareItem = std::variant<std::int64_t, Decimal, std::string, Token, Bytes, bool, InnerList>;

struct DictionaryMember {
    std::string key;
    BareItem value;  // parameters are read over
    friend bool operator==(const DictionaryMember&, const DictionaryMember&) = default;
};

// RFC 8941 Section 4.2.2. A key that comes twice keeps its first place and its last value. Empty
// for anything that is not a dictionary, as the RFC wants it: all or nothing.
std::optional<std::vector<DictionaryMember>> parse_dictionary(std::string_view value);

}  // namespace stile::http
