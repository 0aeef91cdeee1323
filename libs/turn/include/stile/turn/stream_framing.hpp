// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/turn/channel_data.hpp>

#include <expected>

namespace stile::turn {

enum class FramingError : std::uint8_t {
    Incomplete,  // more octets are needed before the size is known
    NotTurn,     // neither STUN nor ChannelData: the connection is of no use any more
};

// How many octets the STUN or ChannelData message at the front of a byte stream occupies, padding
// included; that many may not have arrived yet. RFC 8656 Section 12.5, RFC 8489 Section 6.2.2.
[[nodiscard]] std::expected<std::size_t, FramingError> framed_size(
    BytesView stream, ChannelRange range = ChannelRange::Rfc8656);

}  // namespace stile::turn
