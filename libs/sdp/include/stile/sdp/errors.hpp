// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stile::sdp {

// What is wrong with a description as a whole.
enum class Problem : std::uint8_t {
    TooLong,             // the description or one of its lines exceeds limits.hpp
    TooMany,             // media, attributes, formats or repeated lines exceed limits.hpp
    BadLine,             // not of the form <type>=<value>, or NUL or CR inside
    UnknownType,         // a type letter that RFC 8866 does not define (its Section 5: reject)
    OutOfOrder,          // a known line where RFC 8866 Section 9 does not allow it
    UnsupportedVersion,  // v= is not 0
    BadOrigin,           // o=
    BadConnection,       // c=
    BadBandwidth,        // b=
    BadTiming,           // t=
    BadMedia,            // m=
    BadAttribute,        // the name of an a= line is not a token
    MissingLine,         // v=, o=, s= or t= is absent
    MissingConnection,   // neither the session nor an m= line that is in use has a c= line
};

std::string_view to_string(Problem problem);

struct ParseError {
    Problem problem;
    std::uint32_t line;  // counted from 1; one past the last where the end came too early

    std::string to_string() const;
    friend bool operator==(const ParseError&, const ParseError&) = default;
};

// What is wrong with the value of one attribute.
enum class AttributeError : std::uint8_t {
    Absent,       // there is no attribute of that name
    Malformed,    // it does not follow its grammar
    OutOfRange,   // it does, but a number or a length is outside what its RFC allows
    Unsupported,  // well-formed, of a kind that is to be ignored (an unknown transport, hash, ..)
};

}  // namespace stile::sdp
