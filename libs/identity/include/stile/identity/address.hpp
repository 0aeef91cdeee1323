// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace stile::identity {

enum class AddressError : std::uint8_t {
    Malformed,  // no user, no domain, or a character that an address cannot have
    TooLong,    // longer than most_address_octets
    Anonymous,  // under .invalid: nobody in particular, so nothing can be pinned to it
};

// Whom a key belongs to, in the one form in which pins are kept and compared: user@domain, all in
// lower case. RFC 8224 Section 8.5. Equal addresses have equal text. For routing take the URI that
// was given: a registrar may tell the case of users apart.
class Address {
public:
    // "sip:Alice@Example.ORG;transport=tls", "sips:..." or "Alice@example.org". Port, parameters,
    // header fields and a password are not part of whom it is.
    [[nodiscard]] static std::expected<Address, AddressError> parse(std::string_view text);

    const std::string& text() const { return text_; }
    // The form for a certificate's alternative name.
    std::string sip_uri() const { return "sip:" + text_; }

    friend auto operator<=>(const Address&, const Address&) = default;

private:
    explicit Address(std::string text) : text_(std::move(text)) {}

    std::string text_;
};

}  // namespace stile::identity
