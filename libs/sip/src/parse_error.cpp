// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/parse_error.hpp>

namespace stile::sip {

std::string_view parse_error_text(ParseError error) {
    switch (error) {
        case ParseError::Missing:
            return "header field missing";
        case ParseError::Duplicate:
            return "header field more than once";
        case ParseError::Truncated:
            return "message incomplete";
        case ParseError::TooLarge:
            return "message too large";
        case ParseError::TooManyHeaders:
            return "too many header fields";
        case ParseError::TooManyValues:
            return "too many values";
        case ParseError::TooManyParameters:
            return "too many parameters";
        case ParseError::LineTooLong:
            return "line too long";
        case ParseError::BadCharacter:
            return "bad character";
        case ParseError::BadStartLine:
            return "bad start line";
        case ParseError::BadVersion:
            return "bad SIP version";
        case ParseError::BadStatusCode:
            return "bad status code";
        case ParseError::BadMethod:
            return "bad method";
        case ParseError::BadHeader:
            return "bad header line";
        case ParseError::BadContentLength:
            return "bad Content-Length";
        case ParseError::BadUri:
            return "bad URI";
        case ParseError::BadHost:
            return "bad host";
        case ParseError::BadPort:
            return "bad port";
        case ParseError::BadEscape:
            return "bad escape";
        case ParseError::BadParameter:
            return "bad parameter";
        case ParseError::BadQuotedString:
            return "bad quoted string";
        case ParseError::BadVia:
            return "bad Via";
        case ParseError::BadNameAddr:
            return "bad address";
        case ParseError::BadNumber:
            return "bad number";
        case ParseError::BadToken:
            return "bad token";
        case ParseError::BadDate:
            return "bad date";
        case ParseError::BadAuth:
            return "bad challenge or credentials";
        case ParseError::BadFeature:
            return "bad feature parameter";
    }
    return {};
}

}  // namespace stile::sip
