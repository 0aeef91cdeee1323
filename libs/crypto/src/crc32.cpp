// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/crc32.hpp>

#include <array>

namespace stile::crypto {
namespace {

constexpr std::uint32_t reflected_polynomial = 0xEDB88320;
constexpr std::size_t slices = 8;  // octets a round

using Table = std::array<std::array<std::uint32_t, 256>, slices>;

constexpr Table make_table() {
    Table table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = value >> 1U ^ ((value & 1U) != 0 ? reflected_polynomial : 0U);
        }
        table[0][i] = value;
    }
    for (std::size_t slice = 1; slice < slices; ++slice) {
        for (std::size_t i = 0; i < 256; ++i) {
            const std::uint32_t previous = table[slice - 1][i];
            table[slice][i] = previous >> 8U ^ table[0][previous & 0xFFU];
        }
    }
    return table;
}

constexpr Table table = make_table();

std::uint32_t octet(BytesView bytes, std::size_t at) {
    return std::to_integer<std::uint32_t>(bytes[at]);
}

}  // namespace

std::uint32_t crc32(BytesView bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    while (bytes.size() >= slices) {
        const std::uint32_t low = crc ^ (octet(bytes, 0) | octet(bytes, 1) << 8U |
                                         octet(bytes, 2) << 16U | octet(bytes, 3) << 24U);
        crc = table[7][low & 0xFFU] ^ table[6][low >> 8U & 0xFFU] ^ table[5][low >> 16U & 0xFFU] ^
              table[4][low >> 24U] ^ table[3][octet(bytes, 4)] ^ table[2][octet(bytes, 5)] ^
              table[1][octet(bytes, 6)] ^ table[0][octet(bytes, 7)];
        bytes = bytes.subspan(slices);
    }
    for (const std::byte value : bytes) {
        crc = crc >> 8U ^ table[0][(crc ^ std::to_integer<std::uint32_t>(value)) & 0xFFU];
    }
    return ~crc;
}

}  // namespace stile::crypto
