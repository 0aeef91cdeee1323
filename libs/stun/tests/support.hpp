// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <doctest/doctest.h>
#include <string>

namespace stile::stun::test {

// Hexadecimal with blanks and line ends between.
inline Bytes hex(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c != ' ' && c != '\n') digits += c;
    }
    const auto bytes = from_hex(digits);
    REQUIRE(bytes);
    return *bytes;
}

inline TransactionId id_of(std::uint8_t number) {
    TransactionId id;
    id.octets.back() = std::byte{number};
    return id;
}

inline SocketAddress address(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

inline MessageView view(const Bytes& wire, MagicCookie cookie = MagicCookie::Required) {
    const auto parsed = MessageView::parse(wire, cookie);
    REQUIRE(parsed);
    return *parsed;
}

inline Bytes binding_request(std::uint8_t id = 1) {
    return MessageBuilder{Class::Request, Method::Binding, id_of(id)}.finish();
}

}  // namespace stile::stun::test
