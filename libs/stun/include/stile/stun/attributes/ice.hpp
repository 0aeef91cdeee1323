// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attribute.hpp>

namespace stile::stun {

std::optional<std::uint32_t> decode_u32(BytesView value);
std::optional<std::uint64_t> decode_u64(BytesView value);

// An attribute without a value: being there is what it says.
template <AttributeType attribute_type>
struct FlagAttribute {
    static constexpr AttributeType type = attribute_type;

    static std::optional<FlagAttribute> decode(BytesView value, const TransactionId&) {
        if (!value.empty()) return std::nullopt;
        return FlagAttribute{};
    }
    void encode(ByteWriter&, const TransactionId&) const {}
    friend bool operator==(FlagAttribute, FlagAttribute) = default;
};

template <AttributeType attribute_type>
struct Uint32Attribute {
    static constexpr AttributeType type = attribute_type;
    std::uint32_t value = 0;

    static std::optional<Uint32Attribute> decode(BytesView octets, const TransactionId&) {
        const auto value = decode_u32(octets);
        if (!value) return std::nullopt;
        return Uint32Attribute{*value};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.u32(value); }
    friend bool operator==(Uint32Attribute, Uint32Attribute) = default;
};

// A tie-breaker of ICE roles.
template <AttributeType attribute_type>
struct TieBreakerAttribute {
    static constexpr AttributeType type = attribute_type;
    std::uint64_t tie_breaker = 0;

    static std::optional<TieBreakerAttribute> decode(BytesView octets, const TransactionId&) {
        const auto value = decode_u64(octets);
        if (!value) return std::nullopt;
        return TieBreakerAttribute{*value};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.u64(tie_breaker); }
    friend bool operator==(TieBreakerAttribute, TieBreakerAttribute) = default;
};

// RFC 8445 Section 16.1.
using Priority = Uint32Attribute<AttributeType::Priority>;
using UseCandidate = FlagAttribute<AttributeType::UseCandidate>;
using IceControlled = TieBreakerAttribute<AttributeType::IceControlled>;
using IceControlling = TieBreakerAttribute<AttributeType::IceControlling>;

}  // namespace stile::stun
