// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/base/socket_address.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stile::drivers {

// An HTTP proxy that connections are opened through.
struct HttpProxy {
    struct Login {
        std::string user;
        std::string password;
        friend bool operator==(const Login&, const Login&) = default;
    };
    std::string host;  // a name or an address, IPv6 without brackets
    Port port;
    std::optional<Login> login;
    friend bool operator==(const HttpProxy&, const HttpProxy&) = default;

    enum class ParseError : std::uint8_t {
        UnknownScheme,  // neither http:// nor none
        BadHost,        // neither a DNS name nor an address; IPv6 stands in brackets
        BadPort,        // not a number from 1 to 65535
        BadLogin,       // not percent-encoded, or a user with a colon (RFC 7617 Section 2)
    };
    // "http://user:password@proxy.example.org:3128"; the scheme, the login and the port (80) may
    // be missing.
    static std::expected<HttpProxy, ParseError> parse(std::string_view url);
    std::string to_string() const;  // "proxy.example.org:3128": never the login
};
std::string_view to_string(HttpProxy::ParseError error);

// Which servers are reached through a proxy.
class ProxySettings {
public:
    ProxySettings() = default;

    struct Fault {
        std::string variable;
        HttpProxy::ParseError error;
    };
    // As the environment says it: the first of https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY and
    // http_proxy that is not empty, and no_proxy or NO_PROXY. HTTP_PROXY is not read: a web server
    // sets it to what a client likes (CVE-2016-5385).
    using Lookup = std::function<std::optional<std::string>(const char* name)>;
    static std::expected<ProxySettings, Fault> from_environment(const Lookup& lookup);

    // Absent: connect there directly. This machine is never reached through a proxy.
    const HttpProxy* proxy_for(std::string_view host) const;
    const std::optional<HttpProxy>& proxy() const { return proxy_; }

private:
    struct Everything {};
    // Of a DNS name, and of all below it.
    struct Domain {
        std::string name;
    };
    using Exception = std::variant<Everything, Domain, IpPrefix>;

    void except(std::string_view list);

    std::optional<HttpProxy> proxy_;
    std::vector<Exception> exceptions_;
};

}  // namespace stile::drivers
