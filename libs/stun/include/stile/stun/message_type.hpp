// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace stile::stun {

enum class Class : std::uint8_t { Request, Indication, SuccessResponse, ErrorResponse };

// The IANA registry "STUN Methods". A value outside the list is kept as it came.
enum class Method : std::uint16_t {
    Binding = 0x001,   // RFC 8489
    Allocate = 0x003,  // RFC 8656, as the next five
    Refresh = 0x004,
    Send = 0x006,
    Data = 0x007,
    CreatePermission = 0x008,
    ChannelBind = 0x009,
    Connect = 0x00A,  // RFC 6062, as the next two
    ConnectionBind = 0x00B,
    ConnectionAttempt = 0x00C,
};

struct MessageType {
    Class message_class = Class::Request;
    Method method = Method::Binding;
    friend constexpr bool operator==(MessageType, MessageType) = default;
};

// RFC 8489 Section 5, Figure 3.
//      2  3  4 5 6 7 8 9 0 1 2 3 4 5
//     |M |M |M|M|M|C|M|M|M|C|M|M|M|M|
//     |11|10|9|8|7|1|6|5|4|0|3|2|1|0|
constexpr std::uint16_t encode(MessageType type) {
    const auto method = static_cast<std::uint32_t>(type.method);
    const auto bits = static_cast<std::uint32_t>(type.message_class);
    return static_cast<std::uint16_t>((method & 0x0F80U) << 2U | (method & 0x0070U) << 1U |
                                      (method & 0x000FU) | (bits & 2U) << 7U | (bits & 1U) << 4U);
}

// The two most significant bits are ignored.
constexpr MessageType decode_message_type(std::uint16_t wire) {
    const std::uint32_t bits = wire;
    return {
        .message_class = static_cast<Class>((bits & 0x0100U) >> 7U | (bits & 0x0010U) >> 4U),
        .method =
            static_cast<Method>((bits & 0x3E00U) >> 2U | (bits & 0x00E0U) >> 1U | (bits & 0x000FU)),
    };
}

constexpr bool is_response(Class message_class) {
    return message_class == Class::SuccessResponse || message_class == Class::ErrorResponse;
}

}  // namespace stile::stun
