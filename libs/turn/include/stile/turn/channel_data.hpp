// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <compare>
#include <optional>

namespace stile::turn {

// RFC 8656 Section 12: 0x4000 through 0x4FFF.
struct ChannelNumber {
    static constexpr std::uint16_t first = 0x4000;
    static constexpr std::uint16_t last = 0x4FFF;

    std::uint16_t value = first;
    constexpr bool is_valid() const { return value >= first && value <= last; }
    friend constexpr auto operator<=>(ChannelNumber, ChannelNumber) = default;
};

inline constexpr std::size_t channel_header_octets = 4;

// RFC 8656 Section 12.4.
//  |         Channel Number        |            Length             |
struct ChannelData {
    ChannelNumber channel;
    BytesView payload;  // views into the message

    // A whole message, as it came in a datagram or from a stream's framing; octets after the
    // claimed length are padding. Empty where the channel number is outside the range or the
    // message is shorter than it claims. RFC 8656 Section 12.6.
    static std::optional<ChannelData> parse(BytesView message);
    static std::optional<ChannelData> parse(Bytes&& message) = delete;
};

// What stands before the payload. Requires: at most 0xFFFF octets of payload.
constexpr std::array<std::byte, channel_header_octets> channel_header(ChannelNumber channel,
                                                                      std::size_t payload_octets) {
    return {static_cast<std::byte>(channel.value >> 8U),
            static_cast<std::byte>(channel.value & 0xFFU),
            static_cast<std::byte>((payload_octets >> 8U) & 0xFFU),
            static_cast<std::byte>(payload_octets & 0xFFU)};
}

// Zero octets after the payload: needed over TCP and TLS, not used over UDP. RFC 8656 Section 12.5.
constexpr std::size_t stream_padding(std::size_t payload_octets) {
    return (4 - payload_octets % 4) % 4;
}

// By the first octet, as RFC 7983 Section 7 has it: 64 to 79.
constexpr bool looks_like_channel_data(BytesView message) {
    return message.size() >= channel_header_octets &&
           (message[0] & std::byte{0xF0}) == std::byte{0x40};
}

}  // namespace stile::turn
