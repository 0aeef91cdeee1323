// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/portmap/pcp.hpp>

#include <algorithm>

namespace stile::portmap::pcp {
namespace {

// RFC 6887 Sections 7.1, 7.2 and 19.2.
constexpr std::uint8_t announce = 0;
constexpr std::uint8_t map = 1;
constexpr std::uint8_t response_bit = 0x80;
constexpr std::size_t header_size = 24;
constexpr std::size_t most_octets = 1100;
// IANA's protocol numbers.
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;

// Section 5: IPv4 addresses travel as IPv4-mapped ones, "all zeros" of IPv4 too.
void write_address(ByteWriter& writer, const IpAddress& address) {
    if (address.is_v4()) {
        writer.zeros(10);
        writer.u16(0xFFFF);
    }
    writer.bytes(address.octets());
}

IpAddress read_address(ByteReader& reader) {
    const BytesView octets = reader.bytes(16);
    if (octets.empty()) return {};
    return IpAddress::from_octets(octets).unmapped();
}

std::expected<Response, ParseError> read_map(ByteReader& reader, MapResponse response) {
    std::ranges::copy(reader.bytes(response.nonce.size()), response.nonce.begin());
    const std::uint8_t protocol = reader.u8();
    reader.skip(3);
    response.internal = Port{reader.u16()};
    response.external.port = Port{reader.u16()};
    response.external.ip = read_address(reader);
    if (!reader.ok()) return std::unexpected(ParseError::TooShort);
    if (protocol != tcp && protocol != udp) return std::unexpected(ParseError::NotAResponse);
    response.protocol = protocol == udp ? Protocol::Udp : Protocol::Tcp;
    return response;
}

}  // namespace

Bytes MapRequest::to_bytes() const {
    Bytes octets;
    ByteWriter writer{octets};
    writer.u8(version);
    writer.u8(map);
    writer.zeros(2);
    writer.u32(static_cast<std::uint32_t>(lifetime.count()));
    write_address(writer, client);
    writer.bytes(nonce);
    writer.u8(protocol == Protocol::Udp ? udp : tcp);
    writer.zeros(3);
    writer.u16(internal.value);
    writer.u16(suggested.port.value);
    write_address(writer, suggested.ip);
    return octets;
}

std::expected<Response, ParseError> parse_response(BytesView octets) {
    // RFC 6887 Section 8.3, in its order.
    if (octets.size() < 4) return std::unexpected(ParseError::TooShort);
    ByteReader reader{octets};
    const std::uint8_t said_version = reader.u8();
    const std::uint8_t operation = reader.u8();
    reader.skip(1);
    const auto result = static_cast<ResultCode>(reader.u8());
    if ((operation & response_bit) == 0) return std::unexpected(ParseError::NotAResponse);
    if (result == ResultCode::UnsupportedVersion) return VersionRefused{said_version};
    if (said_version != version) return std::unexpected(ParseError::OtherVersion);
    if (octets.size() < header_size) return std::unexpected(ParseError::TooShort);
    if (octets.size() > most_octets || octets.size() % 4 != 0) {
        return std::unexpected(ParseError::BadLength);
    }
    const std::chrono::seconds lifetime{reader.u32()};
    const std::chrono::seconds epoch{reader.u32()};
    reader.skip(12);
    switch (operation & ~response_bit) {
        case announce:
            return Announcement{epoch};
        case map:
            return read_map(reader, {.result = result, .lifetime = lifetime, .epoch = epoch});
    }
    return std::unexpected(ParseError::NotAResponse);
}

}  // namespace stile::portmap::pcp
