// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/channel_data.hpp>

#include <stile/base/byte_reader.hpp>

namespace stile::turn {

std::optional<ChannelData> ChannelData::parse(BytesView message, ChannelRange range) {
    ByteReader reader{message};
    const ChannelNumber channel{reader.u16()};
    const BytesView payload = reader.bytes(reader.u16());
    if (!reader.ok() || !channel.is_valid(range)) return std::nullopt;
    return ChannelData{.channel = channel, .payload = payload};
}

}  // namespace stile::turn
