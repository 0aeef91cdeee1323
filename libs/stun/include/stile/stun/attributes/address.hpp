// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/stun/attribute.hpp>

namespace stile::stun {

// RFC 8489 Section 14.1: family 0x01 with 4 or 0x02 with 16 octets; anything else is malformed.
//     |0 0 0 0 0 0 0 0|    Family     |           Port                |
//     |                 Address (32 bits or 128 bits)                 |
std::optional<SocketAddress> decode_address(BytesView value);
void encode_address(ByteWriter& writer, const SocketAddress& address);
// RFC 8489 Section 14.2. XOR is its own inverse, so this hides and shows.
SocketAddress xor_address(const SocketAddress& address, const TransactionId& id);

template <AttributeType attribute_type>
struct AddressAttribute {
    static constexpr AttributeType type = attribute_type;
    SocketAddress address;

    static std::optional<AddressAttribute> decode(BytesView value, const TransactionId&) {
        const auto address = decode_address(value);
        if (!address) return std::nullopt;
        return AddressAttribute{*address};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { encode_address(writer, address); }
    friend bool operator==(const AddressAttribute&, const AddressAttribute&) = default;
};

template <AttributeType attribute_type>
struct XorAddressAttribute {
    static constexpr AttributeType type = attribute_type;
    SocketAddress address;  // in the clear

    static std::optional<XorAddressAttribute> decode(BytesView value, const TransactionId& id) {
        const auto hidden = decode_address(value);
        if (!hidden) return std::nullopt;
        return XorAddressAttribute{xor_address(*hidden, id)};
    }
    void encode(ByteWriter& writer, const TransactionId& id) const {
        encode_address(writer, xor_address(address, id));
    }
    friend bool operator==(const XorAddressAttribute&, const XorAddressAttribute&) = default;
};

using MappedAddress = AddressAttribute<AttributeType::MappedAddress>;             // RFC 8489 14.1
using AlternateServer = AddressAttribute<AttributeType::AlternateServer>;         // RFC 8489 14.15
using ResponseOrigin = AddressAttribute<AttributeType::ResponseOrigin>;           // RFC 5780 7.3
using OtherAddress = AddressAttribute<AttributeType::OtherAddress>;               // RFC 5780 7.4
using XorMappedAddress = XorAddressAttribute<AttributeType::XorMappedAddress>;    // RFC 8489 14.2
using XorPeerAddress = XorAddressAttribute<AttributeType::XorPeerAddress>;        // RFC 8656 18.3
using XorRelayedAddress = XorAddressAttribute<AttributeType::XorRelayedAddress>;  // RFC 8656 18.5

}  // namespace stile::stun
