// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "transport_parameters.hpp"

#include <stile/base/byte_reader.hpp>

namespace stile::quic {
namespace {

// RFC 9000 Section 16.
std::uint64_t read_integer(ByteReader& reader) {
    const std::uint8_t first = reader.u8();
    std::uint64_t value = first & 0x3FU;
    for (unsigned rest = (1U << (first >> 6U)) - 1; rest > 0; --rest) {
        value = value << 8U | reader.u8();
    }
    return value;
}

}  // namespace

Bytes without_parameter(BytesView parameters, std::uint64_t id) {
    Bytes kept;
    ByteReader reader{parameters};
    while (reader.remaining() > 0) {
        const BytesView from_here = reader.rest();
        const std::uint64_t this_id = read_integer(reader);
        const std::uint64_t length = read_integer(reader);
        if (length > reader.remaining()) reader.skip(reader.remaining() + 1);
        reader.skip(length);
        const BytesView parameter = from_here.first(from_here.size() - reader.remaining());
        if (!reader.ok() || this_id != id) {
            kept.insert(kept.end(), parameter.begin(), parameter.end());
        }
    }
    return kept;
}

}  // namespace stile::quic
