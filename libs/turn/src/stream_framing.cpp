// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/stream_framing.hpp>

#include <stile/base/byte_reader.hpp>
#include <stile/stun/limits.hpp>

namespace stile::turn {

std::expected<std::size_t, FramingError> framed_size(BytesView stream, ChannelRange range) {
    if (stream.size() < channel_header_octets) return std::unexpected(FramingError::Incomplete);
    ByteReader reader{stream};
    const std::uint16_t first = reader.u16();
    const std::size_t length = reader.u16();
    if (ChannelNumber{first}.is_valid(range)) {
        return channel_header_octets + length + stream_padding(length);
    }
    if (first > 0x3FFF || length % 4 != 0) return std::unexpected(FramingError::NotTurn);
    return stun::header_octets + length;
}

}  // namespace stile::turn
