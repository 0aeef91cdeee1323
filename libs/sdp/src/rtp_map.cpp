// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/rtp_map.hpp>

#include "lexer.hpp"

namespace stile::sdp {

std::expected<RtpMap, AttributeError> RtpMap::parse(std::string_view value) {
    std::string_view rest = trim(value);
    const std::string_view type_field = lexer::next_word(rest);
    rest = trim(rest);
    RtpMap map;
    map.encoding = take_until(rest, '/');
    const std::string_view rate_field = take_until(rest, '/');
    if (!lexer::is_digits(type_field) || !lexer::is_token(map.encoding) ||
        !lexer::is_digits(rate_field)) {
        return std::unexpected(AttributeError::Malformed);
    }
    const auto type = parse_unsigned(type_field, 127);
    const auto rate = parse_unsigned(rate_field, UINT32_MAX);
    if (!type || !rate || *rate == 0) return std::unexpected(AttributeError::OutOfRange);
    map.payload_type = static_cast<std::uint8_t>(*type);
    map.clock_rate = static_cast<std::uint32_t>(*rate);
    if (!rest.empty()) map.parameters = rest;
    return map;
}

std::optional<std::string> RtpMap::value() const {
    std::string text =
        std::to_string(payload_type) + ' ' + encoding + '/' + std::to_string(clock_rate);
    if (parameters) text += '/' + *parameters;
    return text;
}

std::expected<Fmtp, AttributeError> Fmtp::parse(std::string_view value) {
    std::string_view rest = value;
    Fmtp fmtp;
    fmtp.format = lexer::next_word(rest);
    if (!lexer::is_token(fmtp.format) || rest.empty()) {
        return std::unexpected(AttributeError::Malformed);
    }
    fmtp.parameters = rest;
    return fmtp;
}

std::optional<std::string_view> Fmtp::parameter(std::string_view wanted) const& {
    std::string_view rest = parameters;
    while (!rest.empty()) {
        std::string_view item = trim(take_until(rest, ';'));
        const std::string_view key = trim(take_until(item, '='));
        if (iequals(key, wanted)) return trim(item);
    }
    return {};
}

}  // namespace stile::sdp
