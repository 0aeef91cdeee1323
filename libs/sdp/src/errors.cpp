// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/errors.hpp>

namespace stile::sdp {

std::string_view to_string(Problem problem) {
    switch (problem) {
        case Problem::TooLong:
            return "description or line too long";
        case Problem::TooMany:
            return "too many lines or entries of one kind";
        case Problem::BadLine:
            return "not a line of the form <type>=<value>";
        case Problem::UnknownType:
            return "unknown line type";
        case Problem::OutOfOrder:
            return "line out of order";
        case Problem::UnsupportedVersion:
            return "unsupported version";
        case Problem::BadOrigin:
            return "malformed o= line";
        case Problem::BadConnection:
            return "malformed c= line";
        case Problem::BadBandwidth:
            return "malformed b= line";
        case Problem::BadTiming:
            return "malformed t= line";
        case Problem::BadMedia:
            return "malformed m= line";
        case Problem::BadAttribute:
            return "malformed a= line";
        case Problem::MissingLine:
            return "a required line is missing";
        case Problem::MissingConnection:
            return "no c= line for a media section";
    }
    return {};
}

std::string ParseError::to_string() const {
    return "line " + std::to_string(line) + ": " + std::string{sdp::to_string(problem)};
}

}  // namespace stile::sdp
