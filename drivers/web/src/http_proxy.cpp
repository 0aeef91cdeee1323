// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/http_proxy.hpp>

#include <stile/base/text.hpp>
#include <stile/base/try.hpp>
#include <stile/http/path.hpp>

#include <algorithm>
#include <array>

namespace stile::drivers {
namespace {

constexpr Port default_port{80};
constexpr std::size_t most_name_octets = 253;  // RFC 1035 Section 2.3.4

bool is_host(std::string_view text) {
    if (text.empty() || text.size() > most_name_octets) return false;
    return std::ranges::all_of(
        text, [](char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_'; });
}

std::expected<HttpProxy::Login, HttpProxy::ParseError> parse_login(std::string_view text) {
    const auto user = http::percent_decode(take_until(text, ':'));
    const auto password = http::percent_decode(text);
    if (!user || !password || user->empty() || user->contains(':')) {
        return std::unexpected(HttpProxy::ParseError::BadLogin);
    }
    return HttpProxy::Login{*user, *password};
}

bool is_this_machine(std::string_view host, const std::optional<IpAddress>& address) {
    if (address) return address->is_loopback();
    return iequals(host, "localhost") || to_lower(host).ends_with(".localhost");
}

}  // namespace

std::expected<HttpProxy, HttpProxy::ParseError> HttpProxy::parse(std::string_view url) {
    std::string_view rest = trim(url);
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
        if (!iequals(rest.substr(0, scheme), "http")) {
            return std::unexpected(ParseError::UnknownScheme);
        }
        rest.remove_prefix(scheme + 3);
    }
    rest = rest.substr(0, rest.find_first_of("/?#"));
    HttpProxy proxy;
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        proxy.login = STILE_TRY(parse_login(rest.substr(0, at)));
        rest.remove_prefix(at + 1);
    }
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return std::unexpected(ParseError::BadHost);
        const auto address = IpAddress::parse(rest.substr(1, end - 1));
        if (!address || !address->is_v6()) return std::unexpected(ParseError::BadHost);
        proxy.host = address->to_string();
        port = rest.substr(end + 1);
    } else {
        const auto end = std::min(rest.find(':'), rest.size());
        proxy.host = rest.substr(0, end);
        port = rest.substr(end);
        if (!is_host(proxy.host)) return std::unexpected(ParseError::BadHost);
    }
    proxy.port = default_port;
    if (!port.empty()) {
        if (!port.starts_with(':')) return std::unexpected(ParseError::BadHost);
        const auto number = parse_unsigned(port.substr(1), 65'535);
        if (!number || *number == 0) return std::unexpected(ParseError::BadPort);
        proxy.port = Port{static_cast<std::uint16_t>(*number)};
    }
    return proxy;
}

std::string HttpProxy::to_string() const {
    const std::string number = ':' + std::to_string(port.value);
    return host.contains(':') ? '[' + host + ']' + number : host + number;
}

std::string_view to_string(HttpProxy::ParseError error) {
    switch (error) {
        case HttpProxy::ParseError::UnknownScheme:
            return "only http:// proxies are spoken to";
        case HttpProxy::ParseError::BadHost:
            return "the proxy's host is neither a name nor an address";
        case HttpProxy::ParseError::BadPort:
            return "the proxy's port is no number from 1 to 65535";
        case HttpProxy::ParseError::BadLogin:
            return "the proxy's user and password cannot be read";
    }
    return {};
}

std::expected<ProxySettings, ProxySettings::Fault> ProxySettings::from_environment(
    const Lookup& lookup) {
    ProxySettings settings;
    for (const char* const name :
         {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"}) {
        const auto value = lookup(name);
        if (!value || trim(*value).empty()) continue;
        auto proxy = HttpProxy::parse(*value);
        if (!proxy) return std::unexpected(Fault{name, proxy.error()});
        settings.proxy_ = *std::move(proxy);
        break;
    }
    for (const char* const name : {"no_proxy", "NO_PROXY"}) {
        const auto value = lookup(name);
        if (!value || trim(*value).empty()) continue;
        settings.except(*value);
        break;
    }
    return settings;
}

// "*", names with what is below them (".example.org" and "*.example.org" mean the same), addresses
// and prefixes. What is none of these excepts nothing.
void ProxySettings::except(std::string_view list) {
    while (!list.empty()) {
        std::string_view entry = trim(take_until(list, ','));
        if (entry.empty()) continue;
        if (entry == "*") {
            exceptions_.emplace_back(Everything{});
        } else if (const auto address = IpAddress::parse(entry)) {
            exceptions_.emplace_back(
                IpPrefix{*address, static_cast<std::uint8_t>(address->is_v4() ? 32 : 128)});
        } else if (const auto prefix = IpPrefix::parse(entry)) {
            exceptions_.emplace_back(*prefix);
        } else {
            if (entry.starts_with('*')) entry.remove_prefix(1);
            if (entry.starts_with('.')) entry.remove_prefix(1);
            if (is_host(entry)) exceptions_.emplace_back(Domain{to_lower(entry)});
        }
    }
}

const HttpProxy* ProxySettings::proxy_for(std::string_view host) const {
    const auto address = IpAddress::parse(host);
    if (!proxy_ || is_this_machine(host, address)) return nullptr;
    const std::string name = to_lower(host);
    for (const Exception& exception : exceptions_) {
        if (std::holds_alternative<Everything>(exception)) return nullptr;
        if (const auto* const prefix = std::get_if<IpPrefix>(&exception)) {
            if (address && prefix->contains(*address)) return nullptr;
        } else if (const auto* const domain = std::get_if<Domain>(&exception)) {
            if (address) continue;
            if (name == domain->name || name.ends_with('.' + domain->name)) return nullptr;
        }
    }
    return &*proxy_;
}

}  // namespace stile::drivers
