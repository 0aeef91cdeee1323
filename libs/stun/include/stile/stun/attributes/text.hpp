// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attribute.hpp>
#include <stile/stun/limits.hpp>

#include <string_view>

namespace stile::stun {

// Text as it is on the wire; RFC 8489 wants UTF-8, which is not checked here. Decoding yields a
// view into the datagram. Requires for encoding: at most `most` octets.
template <AttributeType attribute_type, std::size_t most>
struct TextAttribute {
    static constexpr AttributeType type = attribute_type;
    static constexpr std::size_t most_octets = most;
    std::string_view text;

    static std::optional<TextAttribute> decode(BytesView value, const TransactionId&) {
        if (value.size() > most) return std::nullopt;
        return TextAttribute{as_text(value)};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.bytes(as_bytes(text)); }
    friend bool operator==(const TextAttribute&, const TextAttribute&) = default;
};

using Username = TextAttribute<AttributeType::Username, most_text_octets>;   // RFC 8489 14.3
using Realm = TextAttribute<AttributeType::Realm, most_text_octets>;         // RFC 8489 14.9
using Nonce = TextAttribute<AttributeType::Nonce, most_text_octets>;         // RFC 8489 14.10
using Software = TextAttribute<AttributeType::Software, most_text_octets>;   // RFC 8489 14.14
using AlternateDomain = TextAttribute<AttributeType::AlternateDomain, 255>;  // RFC 8489 14.16
using ThirdPartyAuthorization =                                              // RFC 7635 6.1
    TextAttribute<AttributeType::ThirdPartyAuthorization, most_text_octets>;

}  // namespace stile::stun
