// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

// a=mid. RFC 5888 Section 4.
struct Mid {
    static constexpr std::string_view name = "mid";
    std::string text;
    [[nodiscard]] static std::expected<Mid, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return text; }
    friend bool operator==(const Mid&, const Mid&) = default;
};

// a=group, of a session. RFC 5888 Section 5. "BUNDLE" (RFC 9143) is read and never offered.
struct Group {
    static constexpr std::string_view name = "group";
    std::string semantics;
    std::vector<std::string> mids;
    bool is_bundle() const;
    [[nodiscard]] static std::expected<Group, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const;
    friend bool operator==(const Group&, const Group&) = default;
};

}  // namespace stile::sdp
