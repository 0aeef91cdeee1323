// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/method.hpp>
#include <stile/sip/parse_error.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace stile::sip {

// RFC 3261 Section 20.16.
struct CSeq {
    std::uint32_t number = 0;  // below 2^31, RFC 3261 Section 8.1.1.5
    Method method = Method::Other;
    std::string extension;  // the method's text if it is Other, otherwise empty

    static std::expected<CSeq, ParseError> parse(std::string_view text);
    std::string to_string() const;
    std::string_view method_text() const& {
        return method == Method::Other ? std::string_view{extension} : sip::method_text(method);
    }
    friend bool operator==(const CSeq&, const CSeq&) = default;
};

inline constexpr std::uint32_t most_cseq = 0x7FFF'FFFF;

}  // namespace stile::sip
