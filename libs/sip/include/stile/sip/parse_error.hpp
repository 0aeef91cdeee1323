// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace stile::sip {

// Why bytes were not taken. One meaning a value; parse_error_text() says it in words.
enum class ParseError : std::uint8_t {
    Missing,            // the header field asked for is not in the message
    Duplicate,          // a header field that may stand once stands twice
    Truncated,          // the message ends before its headers or its Content-Length do
    TooLarge,           // the message, or its Content-Length, is beyond ParseLimits::message_octets
    TooManyHeaders,     // more lines than ParseLimits::header_lines
    TooManyValues,      // a list with more than most_list_values elements
    TooManyParameters,  // more than most_parameters
    LineTooLong,        // a line beyond ParseLimits::line_octets
    BadCharacter,       // an octet that cannot stand where it stands (NUL, a lone CR or LF)
    BadStartLine,       // neither a Request-Line nor a Status-Line
    BadVersion,         // not SIP/2.0
    BadStatusCode,      // not 100 to 699
    BadMethod,          // not a token
    BadHeader,          // a line without name or colon, or a folded line with nothing to continue
    BadContentLength,   // not a decimal number, or two that may differ
    BadUri,             // not a URI, or a sip, sips or tel URI that breaks its grammar
    BadHost,            // not a host name, IPv4 address or bracketed IPv6 address
    BadPort,            // not a number of 0 to 65535
    BadEscape,          // "%" without two hexadecimal digits
    BadParameter,       // a parameter that breaks the grammar, or one name twice
    BadQuotedString,    // a quotation mark that is not closed
    BadVia,             // no sent-protocol or no sent-by
    BadNameAddr,        // neither name-addr nor addr-spec
    BadNumber,          // not a decimal number, or out of its range
    BadToken,           // empty, or with a character outside of RFC 3261's token
    BadDate,            // not an RFC 1123 date in GMT
    BadAuth,            // a challenge or credentials that break the grammar or lack a parameter
    BadFeature,         // a feature parameter that breaks RFC 3840 Section 9
};

std::string_view parse_error_text(ParseError error);

}  // namespace stile::sip
