// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/stun/attributes/discovery.hpp>
#include <stile/stun/attributes/ice.hpp>
#include <stile/stun/attributes/turn.hpp>

#include <algorithm>

namespace stile::stun {
namespace {

constexpr std::uint8_t reserve_next_port = 0x80;
constexpr std::uint32_t change_ip_flag = 0x04;
constexpr std::uint32_t change_port_flag = 0x02;

}  // namespace

std::optional<std::uint32_t> decode_u32(BytesView value) {
    if (value.size() != 4) return std::nullopt;
    return ByteReader{value}.u32();
}

std::optional<std::uint64_t> decode_u64(BytesView value) {
    if (value.size() != 8) return std::nullopt;
    return ByteReader{value}.u64();
}

std::optional<ChannelNumberAttribute> ChannelNumberAttribute::decode(BytesView value,
                                                                     const TransactionId&) {
    const auto bits = decode_u32(value);
    if (!bits) return std::nullopt;
    return ChannelNumberAttribute{static_cast<std::uint16_t>(*bits >> 16U)};
}

void ChannelNumberAttribute::encode(ByteWriter& writer, const TransactionId&) const {
    writer.u16(number);
    writer.u16(0);
}

std::optional<Lifetime> Lifetime::decode(BytesView octets, const TransactionId&) {
    const auto seconds = decode_u32(octets);
    if (!seconds) return std::nullopt;
    return Lifetime{std::chrono::seconds{*seconds}};
}

void Lifetime::encode(ByteWriter& writer, const TransactionId&) const {
    STILE_ASSERT(value.count() >= 0 && value.count() <= 0xFFFFFFFFLL);
    writer.u32(static_cast<std::uint32_t>(value.count()));
}

std::optional<AddressFamily> decode_family(BytesView value) {
    const auto bits = decode_u32(value);
    if (!bits) return std::nullopt;
    const std::uint32_t family = *bits >> 24U;
    if (family != 1 && family != 2) return std::nullopt;
    return family == 1 ? AddressFamily::V4 : AddressFamily::V6;
}

void encode_family(ByteWriter& writer, AddressFamily family) {
    writer.u32(family == AddressFamily::V4 ? 0x01000000 : 0x02000000);
}

std::optional<EvenPort> EvenPort::decode(BytesView value, const TransactionId&) {
    if (value.size() != 1) return std::nullopt;
    const bool reserve = (ByteReader{value}.u8() & reserve_next_port) != 0;
    return EvenPort{reserve ? Next::Reserve : Next::Free};
}

void EvenPort::encode(ByteWriter& writer, const TransactionId&) const {
    writer.u8(next == Next::Reserve ? reserve_next_port : std::uint8_t{0});
}

std::optional<RequestedTransport> RequestedTransport::decode(BytesView value,
                                                             const TransactionId&) {
    const auto bits = decode_u32(value);
    if (!bits) return std::nullopt;
    return RequestedTransport{static_cast<std::uint8_t>(*bits >> 24U)};
}

void RequestedTransport::encode(ByteWriter& writer, const TransactionId&) const {
    writer.u8(protocol);
    writer.zeros(3);
}

std::optional<ReservationToken> ReservationToken::decode(BytesView value, const TransactionId&) {
    ReservationToken token;
    if (value.size() != token.octets.size()) return std::nullopt;
    std::ranges::copy(value, token.octets.begin());
    return token;
}

std::optional<Icmp> Icmp::decode(BytesView value, const TransactionId&) {
    if (value.size() != 8) return std::nullopt;
    ByteReader reader{value};
    reader.skip(2);
    Icmp icmp;
    icmp.icmp_type = reader.u8();
    icmp.icmp_code = reader.u8();
    icmp.error_data = reader.u32();
    return icmp;
}

void Icmp::encode(ByteWriter& writer, const TransactionId&) const {
    writer.zeros(2);
    writer.u8(icmp_type);
    writer.u8(icmp_code);
    writer.u32(error_data);
}

std::optional<ChangeRequest> ChangeRequest::decode(BytesView value, const TransactionId&) {
    const auto bits = decode_u32(value);
    if (!bits) return std::nullopt;
    return ChangeRequest{
        .ip = (*bits & change_ip_flag) != 0 ? Change::Change : Change::Keep,
        .port = (*bits & change_port_flag) != 0 ? Change::Change : Change::Keep,
    };
}

void ChangeRequest::encode(ByteWriter& writer, const TransactionId&) const {
    writer.u32((ip == Change::Change ? change_ip_flag : 0U) |
               (port == Change::Change ? change_port_flag : 0U));
}

std::optional<ResponsePort> ResponsePort::decode(BytesView value, const TransactionId&) {
    // Some peers count the two octets after the port as part of the value, some as padding.
    if (value.size() != 2 && value.size() != 4) return std::nullopt;
    return ResponsePort{Port{ByteReader{value}.u16()}};
}

void ResponsePort::encode(ByteWriter& writer, const TransactionId&) const {
    writer.u16(port.value);
    writer.zeros(2);
}

std::optional<TransactionTransmitCounter> TransactionTransmitCounter::decode(BytesView value,
                                                                             const TransactionId&) {
    const auto bits = decode_u32(value);
    if (!bits) return std::nullopt;
    return TransactionTransmitCounter{
        .request = static_cast<std::uint8_t>((*bits >> 8U) & 0xFFU),
        .response = static_cast<std::uint8_t>(*bits & 0xFFU),
    };
}

void TransactionTransmitCounter::encode(ByteWriter& writer, const TransactionId&) const {
    writer.zeros(2);
    writer.u8(request);
    writer.u8(response);
}

}  // namespace stile::stun
