// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/sctp.hpp>

#include "lexer.hpp"

namespace stile::sdp {

namespace {

// Both attributes: leading zeroes MUST NOT be used.
std::expected<std::uint64_t, AttributeError> number(std::string_view value, std::uint64_t most) {
    if (!lexer::is_digits(value) || (value.size() > 1 && value.front() == '0')) {
        return std::unexpected(AttributeError::Malformed);
    }
    const auto parsed = parse_unsigned(value, most);
    if (!parsed) return std::unexpected(AttributeError::OutOfRange);
    return *parsed;
}

}  // namespace

std::expected<SctpPort, AttributeError> SctpPort::parse(std::string_view value) {
    const auto port = number(value, 65'535);
    if (!port) return std::unexpected(port.error());
    return SctpPort{static_cast<std::uint16_t>(*port)};
}

std::expected<MaxMessageSize, AttributeError> MaxMessageSize::parse(std::string_view value) {
    const auto octets = number(value, UINT64_MAX);
    if (!octets) return std::unexpected(octets.error());
    return MaxMessageSize{*octets};
}

}  // namespace stile::sdp
