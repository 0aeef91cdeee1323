// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/stun/attribute.hpp>
#include <stile/stun/attributes/ice.hpp>

#include <array>
#include <chrono>

namespace stile::stun {

// RFC 8656 Section 18.1. The number is not checked against 0x4000..0x4FFF here: which error an
// invalid one causes is the server's matter.
struct ChannelNumberAttribute {
    static constexpr AttributeType type = AttributeType::ChannelNumber;
    std::uint16_t number = 0;

    static std::optional<ChannelNumberAttribute> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(ChannelNumberAttribute, ChannelNumberAttribute) = default;
};

// RFC 8656 Section 18.2. Requires for encoding: 0 <= value < 2^32 seconds.
struct Lifetime {
    static constexpr AttributeType type = AttributeType::Lifetime;
    std::chrono::seconds value{0};

    static std::optional<Lifetime> decode(BytesView octets, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(Lifetime, Lifetime) = default;
};

// RFC 8656 Section 18.4. Views into the datagram, or whatever is to be sent.
struct Data {
    static constexpr AttributeType type = AttributeType::Data;
    BytesView octets;

    static std::optional<Data> decode(BytesView value, const TransactionId&) { return Data{value}; }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.bytes(octets); }
};

std::optional<AddressFamily> decode_family(BytesView value);
void encode_family(ByteWriter& writer, AddressFamily family);

// RFC 8656 Sections 18.6 and 18.11. An unknown family is malformed.
template <AttributeType attribute_type>
struct FamilyAttribute {
    static constexpr AttributeType type = attribute_type;
    AddressFamily family = AddressFamily::V4;

    static std::optional<FamilyAttribute> decode(BytesView value, const TransactionId&) {
        const auto family = decode_family(value);
        if (!family) return std::nullopt;
        return FamilyAttribute{*family};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { encode_family(writer, family); }
    friend bool operator==(FamilyAttribute, FamilyAttribute) = default;
};
using RequestedAddressFamily = FamilyAttribute<AttributeType::RequestedAddressFamily>;
using AdditionalAddressFamily = FamilyAttribute<AttributeType::AdditionalAddressFamily>;

// RFC 8656 Section 18.7.
struct EvenPort {
    enum class Next : std::uint8_t { Free, Reserve };
    static constexpr AttributeType type = AttributeType::EvenPort;
    Next next = Next::Free;

    static std::optional<EvenPort> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(EvenPort, EvenPort) = default;
};

// RFC 8656 Section 18.8. Any protocol number decodes; TCP is of RFC 6062.
struct RequestedTransport {
    static constexpr AttributeType type = AttributeType::RequestedTransport;
    static constexpr std::uint8_t udp = 17;
    static constexpr std::uint8_t tcp = 6;
    std::uint8_t protocol = udp;

    static std::optional<RequestedTransport> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(RequestedTransport, RequestedTransport) = default;
};

using DontFragment = FlagAttribute<AttributeType::DontFragment>;    // RFC 8656 Section 18.9.
using ConnectionId = Uint32Attribute<AttributeType::ConnectionId>;  // RFC 6062 Section 6.2.1.

// RFC 8656 Section 18.10.
struct ReservationToken {
    static constexpr AttributeType type = AttributeType::ReservationToken;
    std::array<std::byte, 8> octets{};

    static std::optional<ReservationToken> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const { writer.bytes(octets); }
    friend auto operator<=>(const ReservationToken&, const ReservationToken&) = default;
};

// RFC 8656 Section 18.13. Type and code are octets, as in ICMP itself.
struct Icmp {
    static constexpr AttributeType type = AttributeType::Icmp;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint32_t error_data = 0;  // the next hop's MTU, where the type speaks of one

    static std::optional<Icmp> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(Icmp, Icmp) = default;
};

// RFC 8016 Section 3.6. Empty in the first Allocate request, opaque afterwards.
struct MobilityTicket {
    static constexpr AttributeType type = AttributeType::MobilityTicket;
    BytesView octets;

    static std::optional<MobilityTicket> decode(BytesView value, const TransactionId&) {
        return MobilityTicket{value};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.bytes(octets); }
};

}  // namespace stile::stun
