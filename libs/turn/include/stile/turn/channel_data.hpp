// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <compare>
#include <optional>

namespace stile::turn {

// RFC 5766 Section 11 went up to 0x7FFF, and some clients of it pick numbers at random. A server
// may take them; what is made here never leaves the narrower range.
enum class ChannelRange : std::uint8_t { Rfc8656, Rfc5766 };

// RFC 8656 Section 12: 0x4000 through 0x4FFF.
struct ChannelNumber {
    static constexpr std::uint16_t first = 0x4000;
    static constexpr std::uint16_t last = 0x4FFF;
    static constexpr std::uint16_t last_rfc5766 = 0x7FFF;

    std::uint16_t value = first;
    constexpr bool is_valid(ChannelRange range = ChannelRange::Rfc8656) const {
        return value >= first && value <= (range == ChannelRange::Rfc8656 ? last : last_rfc5766);
    }
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
    static std::optional<ChannelData> parse(BytesView message,
                                            ChannelRange range = ChannelRange::Rfc8656);
    static std::optional<ChannelData> parse(Bytes&& message, ChannelRange = {}) = delete;
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

// By the first octet, as RFC 7983 Section 7 has it: 64 to 79; to 127 in the range of RFC 5766.
constexpr bool looks_like_channel_data(BytesView message,
                                       ChannelRange range = ChannelRange::Rfc8656) {
    const std::byte mask{range == ChannelRange::Rfc8656 ? std::uint8_t{0xF0} : std::uint8_t{0xC0}};
    return message.size() >= channel_header_octets && (message[0] & mask) == std::byte{0x40};
}

}  // namespace stile::turn
