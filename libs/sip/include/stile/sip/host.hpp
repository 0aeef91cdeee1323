// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/sip/parse_error.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace stile::sip {

// hostname / IPv4address / IPv6reference of RFC 3261 Section 25.1, where it stands on the wire.
// Lives as long as the text it was parsed from. Equal are the same address in any spelling, and the
// same name in any case.
struct HostView {
    std::string_view text;             // as written, an IPv6 address with brackets
    std::optional<IpAddress> address;  // empty for a name

    // The whole text; an IPv6 address in brackets.
    static std::expected<HostView, ParseError> parse(std::string_view text);
    // What stands at the front, up to the first character that no host can hold.
    static std::expected<HostView, ParseError> take(std::string_view& text);
    bool is_name() const { return !address; }
    friend bool operator==(const HostView& left, const HostView& right);
};

// A host that can be kept. Text is as written, but for an IPv6 address that only tolerance could
// read: RFC 5118 Section 4.10.
class Host {
public:
    Host() = default;  // empty text: only as a place to assign to
    // The whole text; an IPv6 address in brackets.
    static std::expected<Host, ParseError> parse(std::string_view text);
    explicit Host(const HostView& view);
    explicit Host(const IpAddress& address);

    // Empty for a name.
    const std::optional<IpAddress>& address() const { return address_; }
    bool is_name() const { return !address_; }
    // As on the wire, an IPv6 address with brackets.
    const std::string& text() const { return text_; }

    HostView view() const& { return {.text = text_, .address = address_}; }
    operator HostView() const& { return view(); }
    friend bool operator==(const Host& left, const Host& right) {
        return left.view() == right.view();
    }

private:
    std::string text_;
    std::optional<IpAddress> address_;
};

}  // namespace stile::sip
