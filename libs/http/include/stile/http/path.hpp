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

enum class PathError : std::uint8_t {
    NotAbsolute,   // does not begin with "/"
    TooLong,       // limits::path_octets, path_segments or segment_octets
    BadEscape,     // "%" without two hexadecimal digits
    BadCharacter,  // NUL, another control character, or "/" inside an escaped segment
    AboveRoot,     // more ".." than segments before it
};

std::string_view to_string(PathError error);

enum class TrailingSlash : std::uint8_t { No, Yes };

// A request's path as names to look up one below the other. No name is empty, "." or "..", none has
// a "/" or a control character, so that joining them cannot leave the folder one begins in.
// (Symbolic links are the file system's: whoever opens files must not follow them out.)
struct CleanPath {
    std::vector<std::string> segments;  // octets as they are in the file system; not always UTF-8
    TrailingSlash trailing_slash = TrailingSlash::No;
    std::optional<std::string> query;  // what follows the first "?", not decoded

    // "/a%20b/" again, without the query.
    std::string to_string() const;
    friend bool operator==(const CleanPath&, const CleanPath&) = default;
};

// Percent-decodes each segment once, then removes dot segments, escaped ones too (RFC 3986 Sections
// 2.1, 5.2.4 and 6.2.2.3) and empty ones. A fragment is not expected and counts as text.
std::expected<CleanPath, PathError> clean_path(std::string_view path);

// For one segment: everything but unreserved characters is escaped (RFC 3986 Section 2.3).
std::string encode_segment(std::string_view name);
// Escapes once removed; empty for a broken escape. Octets are not judged.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace stile::http
