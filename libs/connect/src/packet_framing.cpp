// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/connect/packet_framing.hpp>

namespace stile::connect {

Bytes framed(BytesView packet) {
    STILE_ASSERT(packet.size() <= most_framed_octets);
    Bytes frame;
    frame.reserve(frame_header_octets + packet.size());
    ByteWriter writer{frame};
    writer.u16(static_cast<std::uint16_t>(packet.size()));
    writer.bytes(packet);
    return frame;
}

std::optional<BytesView> first_packet(BytesView stream) {
    if (stream.size() < frame_header_octets) return std::nullopt;
    ByteReader reader{stream};
    const std::size_t length = reader.u16();
    if (stream.size() - frame_header_octets < length) return std::nullopt;
    return stream.subspan(frame_header_octets, length);
}

}  // namespace stile::connect
