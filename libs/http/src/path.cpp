// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/path.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/http/limits.hpp>

#include <algorithm>

namespace stile::http {

namespace {

bool is_allowed(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet >= 0x20 && octet != 0x7F && c != '/';
}

bool is_unreserved(char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

}  // namespace

std::string_view to_string(PathError error) {
    switch (error) {
        case PathError::NotAbsolute:
            return "the path does not begin with a slash";
        case PathError::TooLong:
            return "the path is too long";
        case PathError::BadEscape:
            return "a percent sign without two hexadecimal digits";
        case PathError::BadCharacter:
            return "a character that no name may have";
        case PathError::AboveRoot:
            return "the path leads out of what is shared";
    }
    return {};
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (text.size() - i < 3) return {};
        const auto octet = from_hex(text.substr(i + 1, 2));
        if (!octet) return {};
        decoded += static_cast<char>(octet->front());
        i += 2;
    }
    return decoded;
}

std::string encode_segment(std::string_view name) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    for (const char c : name) {
        if (is_unreserved(c)) {
            text += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        text += {'%', digits[octet >> 4U], digits[octet & 0x0FU]};
    }
    return text;
}

std::expected<CleanPath, PathError> clean_path(std::string_view path) {
    if (path.size() > limits::path_octets) return std::unexpected(PathError::TooLong);
    CleanPath clean;
    if (const std::size_t mark = path.find('?'); mark != std::string_view::npos) {
        clean.query = path.substr(mark + 1);
        path = path.substr(0, mark);
    }
    if (path.empty() || path.front() != '/') return std::unexpected(PathError::NotAbsolute);
    path.remove_prefix(1);
    while (!path.empty()) {
        const bool last = path.find('/') == std::string_view::npos;
        const auto decoded = percent_decode(take_until(path, '/'));
        if (!decoded) return std::unexpected(PathError::BadEscape);
        const std::string& name = *decoded;
        if (!std::all_of(name.begin(), name.end(), is_allowed)) {
            return std::unexpected(PathError::BadCharacter);
        }
        const bool is_dots = name == "." || name == "..";
        clean.trailing_slash = !last || is_dots ? TrailingSlash::Yes : TrailingSlash::No;
        if (name == "..") {
            if (clean.segments.empty()) return std::unexpected(PathError::AboveRoot);
            clean.segments.pop_back();
        } else if (!name.empty() && !is_dots) {
            if (name.size() > limits::segment_octets ||
                clean.segments.size() == limits::path_segments) {
                return std::unexpected(PathError::TooLong);
            }
            clean.segments.push_back(name);
        }
    }
    if (clean.segments.empty()) clean.trailing_slash = TrailingSlash::Yes;
    return clean;
}

std::string CleanPath::to_string() const {
    std::string text;
    for (const std::string& segment : segments) text += '/' + encode_segment(segment);
    if (trailing_slash == TrailingSlash::Yes || segments.empty()) text += '/';
    return text;
}

}  // namespace stile::http
