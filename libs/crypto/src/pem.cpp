// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/pem.hpp>

#include <stile/base/encoding.hpp>

namespace stile::crypto {
namespace {

constexpr std::size_t line_characters = 64;  // RFC 7468 Section 2.

std::string marker(std::string_view kind, std::string_view label) {
    std::string line = "-----";
    line += kind;
    line += ' ';
    line += label;
    line += "-----";
    return line;
}

}  // namespace

std::string to_pem(std::string_view label, BytesView der) {
    std::string text = marker("BEGIN", label) + '\n';
    const std::string encoded = to_base64(der);
    for (std::size_t i = 0; i < encoded.size(); i += line_characters) {
        text.append(encoded, i, line_characters);
        text += '\n';
    }
    return text + marker("END", label) + '\n';
}

std::optional<Bytes> take_pem(std::string_view& text, std::string_view label) {
    const std::string begin = marker("BEGIN", label);
    const std::string end = marker("END", label);
    const std::size_t first = text.find(begin);
    if (first == std::string_view::npos) return std::nullopt;
    const std::size_t body = first + begin.size();
    const std::size_t last = text.find(end, body);
    if (last == std::string_view::npos) return std::nullopt;
    std::string encoded;
    for (const char c : text.substr(body, last - body)) {
        const bool is_space = c == '\n' || c == '\r' || c == ' ' || c == '\t';
        if (!is_space) encoded += c;
    }
    text.remove_prefix(last + end.size());
    return from_base64(encoded);
}

}  // namespace stile::crypto
