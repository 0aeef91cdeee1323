// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/portmap/nat_pmp.hpp>

namespace stile::portmap::nat_pmp {
namespace {

constexpr std::uint8_t version = 0;
// RFC 6886 Section 3.3.
constexpr std::uint8_t ask_address = 0;
constexpr std::uint8_t map_udp = 1;
constexpr std::uint8_t map_tcp = 2;
constexpr std::uint8_t response_bit = 128;

}  // namespace

Bytes address_request() {
    Bytes octets;
    ByteWriter writer{octets};
    writer.u8(version);
    writer.u8(ask_address);
    return octets;
}

Bytes MapRequest::to_bytes() const {
    Bytes octets;
    ByteWriter writer{octets};
    writer.u8(version);
    writer.u8(protocol == Protocol::Udp ? map_udp : map_tcp);
    writer.zeros(2);
    writer.u16(internal.value);
    writer.u16(suggested.value);
    writer.u32(static_cast<std::uint32_t>(lifetime.count()));
    return octets;
}

std::expected<std::variant<AddressResponse, MapResponse>, ParseError> parse_response(
    BytesView octets) {
    ByteReader reader{octets};
    reader.skip(1);
    const std::uint8_t operation = reader.u8();
    const auto result = static_cast<ResultCode>(reader.u16());
    const std::chrono::seconds epoch{reader.u32()};
    if (operation == response_bit + ask_address) {
        const BytesView external = reader.bytes(4);
        // A gateway that refuses may leave the address out.
        if (!reader.ok() && (octets.size() < 8 || result == ResultCode::Success)) {
            return std::unexpected(ParseError::TooShort);
        }
        return AddressResponse{result, epoch,
                               reader.ok() ? IpAddress::from_octets(external) : IpAddress{}};
    }
    if (operation == response_bit + map_udp || operation == response_bit + map_tcp) {
        const Port internal{reader.u16()};
        const Port external{reader.u16()};
        const std::chrono::seconds lifetime{reader.u32()};
        if (!reader.ok()) return std::unexpected(ParseError::TooShort);
        const auto protocol = operation == response_bit + map_udp ? Protocol::Udp : Protocol::Tcp;
        return MapResponse{protocol, result, epoch, internal, external, lifetime};
    }
    if (octets.size() < 2) return std::unexpected(ParseError::TooShort);
    return std::unexpected(ParseError::NotAResponse);
}

}  // namespace stile::portmap::nat_pmp
