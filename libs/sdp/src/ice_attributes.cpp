// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/ice_attributes.hpp>

#include <stile/sdp/limits.hpp>

#include "lexer.hpp"

namespace stile::sdp {

namespace {

std::expected<std::string, AttributeError> ice_text(std::string_view value, std::size_t least) {
    if (value.empty() || !lexer::is_ice_text(value)) {
        return std::unexpected(AttributeError::Malformed);
    }
    if (value.size() < least || value.size() > limits::ice_credential_characters) {
        return std::unexpected(AttributeError::OutOfRange);
    }
    return std::string{value};
}

template <class Flag>
std::expected<Flag, AttributeError> flag(std::string_view value) {
    if (!value.empty()) return std::unexpected(AttributeError::Malformed);
    return Flag{};
}

}  // namespace

std::expected<IceUfrag, AttributeError> IceUfrag::parse(std::string_view value) {
    auto text = ice_text(value, limits::ice_ufrag_least_characters);
    if (!text) return std::unexpected(text.error());
    return IceUfrag{*std::move(text)};
}

std::expected<IcePwd, AttributeError> IcePwd::parse(std::string_view value) {
    auto text = ice_text(value, limits::ice_pwd_least_characters);
    if (!text) return std::unexpected(text.error());
    return IcePwd{*std::move(text)};
}

bool IceOptions::has(std::string_view tag) const {
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

std::expected<IceOptions, AttributeError> IceOptions::parse(std::string_view value) {
    IceOptions options;
    std::string_view rest = trim(value);
    if (rest.empty()) return std::unexpected(AttributeError::Malformed);
    while (!rest.empty()) {
        const std::string_view tag = lexer::next_word(rest);
        // A hyphen is not an ice-char, and yet option tags in use have one.
        const bool well_formed = !tag.empty() && std::all_of(tag.begin(), tag.end(), [](char c) {
            return lexer::is_ice_char(c) || c == '-';
        });
        if (!well_formed) return std::unexpected(AttributeError::Malformed);
        options.tags.emplace_back(tag);
    }
    return options;
}

std::optional<std::string> IceOptions::value() const {
    std::string text;
    for (const std::string& tag : tags) {
        if (!text.empty()) text += ' ';
        text += tag;
    }
    return text;
}

std::expected<IcePacing, AttributeError> IcePacing::parse(std::string_view value) {
    if (!lexer::is_digits(value)) return std::unexpected(AttributeError::Malformed);
    const auto milliseconds = parse_unsigned(value, UINT32_MAX);
    if (!milliseconds) return std::unexpected(AttributeError::OutOfRange);
    return IcePacing{static_cast<std::uint32_t>(*milliseconds)};
}

std::expected<IceLite, AttributeError> IceLite::parse(std::string_view value) {
    return flag<IceLite>(value);
}

std::expected<IceMismatch, AttributeError> IceMismatch::parse(std::string_view value) {
    return flag<IceMismatch>(value);
}

std::expected<RemoteCandidates, AttributeError> RemoteCandidates::parse(std::string_view value) {
    RemoteCandidates candidates;
    std::string_view rest = value;
    if (rest.empty()) return std::unexpected(AttributeError::Malformed);
    while (!rest.empty()) {
        const std::string_view component_field = lexer::next_word(rest);
        const std::string_view ip_field = lexer::next_word(rest);
        const std::string_view port_field = lexer::next_word(rest);
        const bool numbers = lexer::is_digits(component_field) && lexer::is_digits(port_field);
        if (!numbers || !lexer::is_word(ip_field)) {
            return std::unexpected(AttributeError::Malformed);
        }
        const auto component = parse_unsigned(component_field, 256);
        const auto port = parse_unsigned(port_field, 65'535);
        if (!component || *component == 0 || !port) {
            return std::unexpected(AttributeError::OutOfRange);
        }
        const auto ip = IpAddress::parse(ip_field);
        if (!ip) return std::unexpected(AttributeError::Unsupported);
        candidates.entries.push_back({.component = static_cast<std::uint16_t>(*component),
                                      .address = {*ip, Port{static_cast<std::uint16_t>(*port)}}});
    }
    return candidates;
}

std::optional<std::string> RemoteCandidates::value() const {
    std::string text;
    for (const Entry& each : entries) {
        if (!text.empty()) text += ' ';
        text += std::to_string(each.component) + ' ' + each.address.ip.to_string() + ' ' +
                std::to_string(each.address.port.value);
    }
    return text;
}

}  // namespace stile::sdp
