// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/cseq.hpp>
#include <stile/sip/header_values.hpp>

namespace stile::sip {

std::expected<CSeq, ParseError> CSeq::parse(std::string_view text) {
    text = scan::trimmed(text);
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    CSeq cseq;
    cseq.number = STILE_TRY(parse_number(text.substr(0, digits), most_cseq));
    text.remove_prefix(digits);
    if (text.empty() || !scan::is_space(text.front())) {
        return std::unexpected(ParseError::BadMethod);
    }
    scan::skip_space(text);
    if (!scan::is_token(text)) return std::unexpected(ParseError::BadMethod);
    cseq.method = method_of(text);
    if (cseq.method == Method::Other) cseq.extension = text;
    return cseq;
}

std::string CSeq::to_string() const {
    return std::to_string(number) + " " + std::string{method_text()};
}

}  // namespace stile::sip
