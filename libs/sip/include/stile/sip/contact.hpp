// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/name_addr.hpp>

#include <compare>
#include <vector>

namespace stile::sip {

// A contact's preference in thousandths, 0 to 1000. RFC 3261 Section 20.10.
struct QValue {
    std::uint16_t thousandths = 1000;
    static std::expected<QValue, ParseError> parse(std::string_view text);
    std::string to_string() const;  // "0.7", "1"
    friend constexpr auto operator<=>(QValue, QValue) = default;
};

// What a value of a Contact header field says. Parameters that break their grammar read as absent,
// as RFC 3261 Section 10.3 has a registrar treat a malformed expires.
template <class Address>
struct ContactValue {
    Address address;

    const auto& uri() const { return address.uri; }
    std::optional<QValue> q() const;
    std::optional<std::uint32_t> expires_seconds() const;  // larger numbers read as 2^32 - 1
    // "<urn:uuid:...>" without quotation marks and brackets. RFC 5626 Section 4.1.
    std::optional<std::string> instance() const;
    std::optional<std::uint32_t> reg_id() const;  // at least 1. RFC 5626 Section 4.2
    std::optional<std::string> pub_gruu() const;  // RFC 5627 Section 5.3
    std::optional<std::string> temp_gruu() const;
};

extern template struct ContactValue<NameAddrView>;
extern template struct ContactValue<NameAddr>;

// One value that can be kept and changed.
struct Contact : ContactValue<NameAddr> {
    static std::expected<Contact, ParseError> parse(std::string_view text);
    std::string to_string() const { return address.to_string(); }

    friend bool operator==(const Contact& left, const Contact& right) {
        return left.address == right.address;
    }
};

// One value, where it stands on the wire. Lives as long as the text it was parsed from.
struct ContactView : ContactValue<NameAddrView> {
    static std::expected<ContactView, ParseError> parse(std::string_view text);
    Contact copy() const;
};

enum class ContactForm : std::uint8_t {
    List,      // any number of contacts, none as well
    Wildcard,  // "*": all bindings of a REGISTER. RFC 3261 Section 10.2.2
};

struct Contacts {
    ContactForm form = ContactForm::List;
    std::vector<ContactView> values;  // empty for Wildcard
};

}  // namespace stile::sip
