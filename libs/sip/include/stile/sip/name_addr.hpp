// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/uri.hpp>

namespace stile::sip {

enum class AddressForm : std::uint8_t {
    Either,    // name-addr or addr-spec: From, To, Contact
    NameAddr,  // angle brackets required: Route, Record-Route, Path, Service-Route
};

struct NameAddr;

// "Alice" <sip:alice@example.org>;tag=1: the value of From, To, Route and their like, where it
// stands on the wire. RFC 3261 Section 20.10. In the addr-spec form parameters are the header
// field's, not the URI's. Lives as long as the text it was parsed from.
struct NameAddrView {
    std::string_view display_name;  // with quotation marks and escapes, where it has them
    UriView uri;
    ParametersView parameters;

    // One value, without commas outside of quotes and brackets.
    static std::expected<NameAddrView, ParseError> parse(std::string_view text,
                                                         AddressForm form = AddressForm::Either);
    NameAddr copy() const;
    std::optional<std::string_view> tag() const { return parameters.value("tag"); }
};

// The tag of such a value, of which only the parameters are parsed.
std::expected<std::optional<std::string_view>, ParseError> tag_of(std::string_view text);

// One that can be kept and changed.
struct NameAddr {
    std::string display_name;  // without quotation marks and escapes; empty where there is none
    Uri uri;
    Parameters parameters;

    static std::expected<NameAddr, ParseError> parse(std::string_view text,
                                                     AddressForm form = AddressForm::Either);
    // Always the name-addr form.
    std::string to_string() const;

    std::optional<std::string_view> tag() const { return parameters.value("tag"); }
    void set_tag(std::string_view tag) { parameters.set("tag", tag); }

    friend bool operator==(const NameAddr&, const NameAddr&) = default;
};

}  // namespace stile::sip
