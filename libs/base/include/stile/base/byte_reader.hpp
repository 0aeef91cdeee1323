// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

namespace stile {

// Reads big-endian fields. After the first read past the end every read yields zero and ok() stays
// false, so a parser checks once, at the end of a group of fields.
class ByteReader {
public:
    explicit constexpr ByteReader(BytesView input) : rest_(input) {}

    constexpr std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian<1>()); }
    constexpr std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian<2>()); }
    constexpr std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian<4>()); }
    constexpr std::uint64_t u64() { return big_endian<8>(); }

    // A view into the input, empty after a short read.
    constexpr BytesView bytes(std::size_t count) {
        if (count > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const BytesView taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }

    constexpr void skip(std::size_t count) { (void)bytes(count); }
    constexpr std::size_t remaining() const { return rest_.size(); }
    constexpr BytesView rest() const { return rest_; }
    constexpr bool ok() const { return ok_; }

private:
    template <std::size_t width>
    constexpr std::uint64_t big_endian() {
        std::uint64_t value = 0;
        for (const std::byte octet : bytes(width)) {
            value = (value << 8U) | std::to_integer<std::uint64_t>(octet);
        }
        return value;
    }

    BytesView rest_;
    bool ok_ = true;
};

}  // namespace stile
