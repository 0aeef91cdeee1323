// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/byte_reader.hpp>
#include <stile/stun/attributes/address.hpp>
#include <stile/stun/message_view.hpp>

#include <algorithm>

namespace stile::stun {
namespace {

constexpr std::uint8_t family_v4 = 0x01;
constexpr std::uint8_t family_v6 = 0x02;

}  // namespace

std::optional<SocketAddress> decode_address(BytesView value) {
    ByteReader reader{value};
    reader.skip(1);  // ignored by receivers
    const std::uint8_t family = reader.u8();
    const Port port{reader.u16()};
    const BytesView octets = reader.rest();
    if (!reader.ok()) return std::nullopt;
    const bool sound =
        (family == family_v4 && octets.size() == 4) || (family == family_v6 && octets.size() == 16);
    if (!sound) return std::nullopt;
    return SocketAddress{.ip = IpAddress::from_octets(octets), .port = port};
}

void encode_address(ByteWriter& writer, const SocketAddress& address) {
    writer.u8(0);
    writer.u8(address.ip.is_v4() ? family_v4 : family_v6);
    writer.u16(address.port.value);
    writer.bytes(address.ip.octets());
}

SocketAddress xor_address(const SocketAddress& address, const TransactionId& id) {
    // The cookie and the transaction id, as they lie in the header.
    std::array<std::byte, 16> mask{std::byte{0x21}, std::byte{0x12}, std::byte{0xA4},
                                   std::byte{0x42}};
    std::ranges::copy(id.octets, mask.begin() + 4);
    std::array<std::byte, 16> octets{};
    const BytesView given = address.ip.octets();
    for (std::size_t i = 0; i < given.size(); ++i) octets[i] = given[i] ^ mask[i];
    return {
        .ip = IpAddress::from_octets(BytesView{octets}.first(given.size())),
        .port = Port{static_cast<std::uint16_t>(address.port.value ^ (magic_cookie >> 16U))},
    };
}

}  // namespace stile::stun
