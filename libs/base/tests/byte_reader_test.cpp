// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>

#include <array>

namespace stile {
namespace {

TEST_CASE("byte reader: fails once, stays failed") {
    constexpr std::array wire{std::byte{0x21}, std::byte{0x12}, std::byte{0xA4}};
    ByteReader reader{wire};
    CHECK(reader.u16() == 0x2112);
    CHECK(reader.u32() == 0);
    CHECK_FALSE(reader.ok());
    CHECK(reader.u8() == 0);
}

TEST_CASE("byte writer: what it writes the reader reads") {
    Bytes wire;
    ByteWriter writer{wire};
    writer.u8(1);
    writer.u16(0);
    writer.u32(0xDEADBEEF);
    writer.u64(0x0123456789ABCDEF);
    writer.overwrite_u16(1, 0xCAFE);
    ByteReader reader{wire};
    CHECK(reader.u8() == 1);
    CHECK(reader.u16() == 0xCAFE);
    CHECK(reader.u32() == 0xDEADBEEF);
    CHECK(reader.u64() == 0x0123456789ABCDEF);
    CHECK(reader.ok());
    CHECK(reader.remaining() == 0);
}

}  // namespace
}  // namespace stile
