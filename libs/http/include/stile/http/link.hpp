// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/http/fields.hpp>

namespace stile::http {

// One link of a Link field. RFC 8288 Section 3.
struct Link {
    struct Parameter {
        std::string name;  // in lower case
        std::string value;
        friend bool operator==(const Parameter&, const Parameter&) = default;
    };

    std::string target;  // a URI reference, not resolved
    std::vector<Parameter> parameters;

    std::optional<std::string_view> parameter(std::string_view name) const;
    // A relation of `rel`, without regard to case.
    bool has_relation(std::string_view relation) const;
    std::string to_string() const;
    friend bool operator==(const Link&, const Link&) = default;
};

// Follows RFC 8288 Appendix B.2, which forgives: what comes before a broken link is kept.
std::vector<Link> parse_links(std::string_view value);

// Another place of the same octets: rel=duplicate. RFC 6249 Section 3.
struct Mirror {
    std::string uri;
    std::optional<std::uint32_t> priority;  // 1 to 999999, 1 is best
    std::optional<std::string> country;     // `geo`, ISO 3166-1 alpha-2
    friend bool operator==(const Mirror&, const Mirror&) = default;
};

// Best first; those without priority come last. A mirror may be used only for a representation
// whose digest is known (RFC 6249 Section 2): see content_digest.hpp.
std::vector<Mirror> mirrors(const Fields& response);

}  // namespace stile::http
