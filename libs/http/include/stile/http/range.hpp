// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::http {

// Octets of a representation. Never empty.
struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;  // included

    std::uint64_t size() const { return last - first + 1; }
    friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// One range as asked for. RFC 9110 Section 14.1.1.
struct RangeSpec {
    std::optional<std::uint64_t> first;  // absent: the last `last` octets
    std::optional<std::uint64_t> last;   // absent: to the end
    friend bool operator==(const RangeSpec&, const RangeSpec&) = default;
};

// A Range field that is to be ignored, and why.
enum class RangeError : std::uint8_t {
    OtherUnit,  // not "bytes"
    Malformed,  // not in the grammar, or last < first
    TooMany,    // limits::range_specs
};

// The value of a Range field. Numbers beyond 64 bits count as the largest one.
std::expected<std::vector<RangeSpec>, RangeError> parse_range(std::string_view value);
// "bytes=0-499,-1". Requires: specs is not empty.
std::string format_range(const std::vector<RangeSpec>& specs);

// What can be sent of a representation of `size` octets. Empty: nothing is satisfiable (416).
// Ranges that overlap or nearly touch are one (RFC 9110 Section 15.3.7.2); then all are in
// ascending order, otherwise in the order asked for.
std::vector<ByteRange> satisfiable(const std::vector<RangeSpec>& specs, std::uint64_t size);

// Content-Range. RFC 9110 Section 14.4. At least one of the two is present.
struct ContentRange {
    std::optional<ByteRange> range;         // absent: "*", in a 416
    std::optional<std::uint64_t> complete;  // absent: "*"

    // Empty for another unit, a last before the first, or a complete length that does not fit.
    static std::optional<ContentRange> parse(std::string_view value);
    std::string to_string() const;
    friend bool operator==(const ContentRange&, const ContentRange&) = default;
};

}  // namespace stile::http
