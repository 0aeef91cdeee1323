// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

namespace stile {

// Appends big-endian fields to a buffer that outlives the writer.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& output) : output_(output) {}

    void u8(std::uint8_t value) { big_endian<1>(value); }
    void u16(std::uint16_t value) { big_endian<2>(value); }
    void u32(std::uint32_t value) { big_endian<4>(value); }
    void u64(std::uint64_t value) { big_endian<8>(value); }
    void bytes(BytesView view) { output_.insert(output_.end(), view.begin(), view.end()); }
    void zeros(std::size_t count) { output_.resize(output_.size() + count); }

    // Requires: offset + 2 <= size().
    void overwrite_u16(std::size_t offset, std::uint16_t value) {
        output_[offset] = static_cast<std::byte>(value >> 8U);
        output_[offset + 1] = static_cast<std::byte>(value & 0xFFU);
    }

    std::size_t size() const { return output_.size(); }

private:
    template <std::size_t width>
    void big_endian(std::uint64_t value) {
        for (std::size_t i = width; i-- > 0;) {
            output_.push_back(static_cast<std::byte>((value >> (8U * i)) & 0xFFU));
        }
    }

    Bytes& output_;
};

}  // namespace stile
