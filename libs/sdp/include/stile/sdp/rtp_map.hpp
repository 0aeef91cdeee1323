// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

// a=rtpmap. RFC 8866 Section 6.6.
struct RtpMap {
    static constexpr std::string_view name = "rtpmap";
    std::uint8_t payload_type = 0;  // 0 to 127
    std::string encoding;           // compare without regard to case
    std::uint32_t clock_rate = 8000;
    std::optional<std::string> parameters;  // for audio the number of channels
    [[nodiscard]] static std::expected<RtpMap, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const;
    friend bool operator==(const RtpMap&, const RtpMap&) = default;
};

// a=fmtp. RFC 8866 Section 6.15.
struct Fmtp {
    static constexpr std::string_view name = "fmtp";
    std::string format;
    std::string parameters;  // as they came
    // The value of one of `name=value;name=value`; the view lives as long as this.
    std::optional<std::string_view> parameter(std::string_view wanted) const&;
    std::optional<std::string_view> parameter(std::string_view wanted) const&& = delete;
    [[nodiscard]] static std::expected<Fmtp, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return format + " " + parameters; }
    friend bool operator==(const Fmtp&, const Fmtp&) = default;
};

}  // namespace stile::sdp
