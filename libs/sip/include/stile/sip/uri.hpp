// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/sip/host.hpp>
#include <stile/sip/parameters.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace stile::sip {

enum class Scheme : std::uint8_t { Sip, Sips, Tel, Other };

struct Uri;

// A SIP or SIPS URI (RFC 3261 Section 19.1), a tel URI (RFC 3966), or another one as text, where it
// stands on the wire. Parts keep their escapes (see unescape()). Lives as long as the text it was
// parsed from.
struct UriView {
    Scheme scheme = Scheme::Sip;
    std::optional<std::string_view> user;      // sip, sips; for tel the number
    std::optional<std::string_view> password;  // sip, sips; only with a user
    HostView host;                             // sip, sips
    std::optional<Port> port;                  // sip, sips
    ParametersView parameters;                 // sip, sips, tel
    std::string_view headers;                  // sip, sips: "subject=x&priority=urgent", else empty
    std::string_view other;                    // Scheme::Other: the whole URI

    // The whole text, without white space or angle brackets.
    static std::expected<UriView, ParseError> parse(std::string_view text);
    std::string to_string() const;
    Uri copy() const;

    bool is_sip_or_sips() const { return scheme == Scheme::Sip || scheme == Scheme::Sips; }
    bool is_loose_route() const { return parameters.contains("lr"); }
    std::optional<std::string_view> transport() const { return parameters.value("transport"); }

    // RFC 3261 Section 19.1.4 for sip and sips, RFC 3966 Section 4 for tel, octets for others. Note
    // that the RFC's relation is not transitive: do not use it as the key of a table.
    friend bool operator==(const UriView& left, const UriView& right);
};

// A URI that can be kept and changed; the members are those of UriView.
struct Uri {
    Scheme scheme = Scheme::Sip;
    std::optional<std::string> user;
    std::optional<std::string> password;
    Host host;
    std::optional<Port> port;
    Parameters parameters;
    std::string headers;
    std::string other;

    static std::expected<Uri, ParseError> parse(std::string_view text);
    std::string to_string() const { return view().to_string(); }
    UriView view() const&;
    operator UriView() const& { return view(); }

    bool is_sip_or_sips() const { return scheme == Scheme::Sip || scheme == Scheme::Sips; }
    bool is_loose_route() const { return parameters.contains("lr"); }
    std::optional<std::string_view> transport() const { return parameters.value("transport"); }

    friend bool operator==(const Uri& left, const Uri& right) {
        return left.view() == right.view();
    }
};

// "sip:user@host", what names a person: no password, port, parameters or headers; escapes decoded
// as far as the grammar allows and the host in lower case, so that texts can be keys. RFC 3261
// Section 10.3. The port stays, as RFC 3261 Section 19.1.4 tells two ports apart. For tel the
// number without visual separators. Other schemes: the text.
std::string address_of_record(const UriView& uri);

// "%61%20" to "a ". The result may hold any octet, NUL as well. Malformed escapes stay.
std::string unescape(std::string_view text);

// Escapes what may not stand in the user part. RFC 3261 Section 25.1, `user`.
std::string escape_user(std::string_view text);
// Escapes what may not stand in a uri-parameter's name or value.
std::string escape_parameter(std::string_view text);
// Escapes what may not stand in a header name or value of a URI.
std::string escape_header(std::string_view text);

}  // namespace stile::sip
