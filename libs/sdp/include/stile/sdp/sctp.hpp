// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

// a=sctp-port. RFC 8841 Section 5. Zero closes the association.
struct SctpPort {
    static constexpr std::string_view name = "sctp-port";
    std::uint16_t port = 5000;
    [[nodiscard]] static std::expected<SctpPort, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return std::to_string(port); }
    friend bool operator==(const SctpPort&, const SctpPort&) = default;
};

// a=max-message-size. RFC 8841 Section 6. Zero is any size; absent is default_octets.
struct MaxMessageSize {
    static constexpr std::string_view name = "max-message-size";
    static constexpr std::uint64_t default_octets = 65'536;
    std::uint64_t octets = default_octets;
    [[nodiscard]] static std::expected<MaxMessageSize, AttributeError> parse(
        std::string_view value);
    std::optional<std::string> value() const { return std::to_string(octets); }
    friend bool operator==(const MaxMessageSize&, const MaxMessageSize&) = default;
};

}  // namespace stile::sdp
