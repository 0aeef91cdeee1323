// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/text.hpp>
#include <stile/stun/stun_uri.hpp>

#include <algorithm>

namespace stile::stun {
namespace {

// reg-name of RFC 3986, without percent-encoding: DNS names need none.
bool is_name(std::string_view host) {
    return !host.empty() && std::ranges::all_of(host, [](char c) {
        return is_alnum(c) || c == '-' || c == '.' || c == '_';
    });
}

}  // namespace

std::optional<StunUri> StunUri::parse(std::string_view text) {
    if (text.size() > most_octets) return std::nullopt;
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view scheme = text.substr(0, colon);
    StunUri uri;
    if (iequals(scheme, "stuns")) {
        uri.scheme = Scheme::Stuns;
    } else if (!iequals(scheme, "stun")) {
        return std::nullopt;
    }
    std::string_view rest = text.substr(colon + 1);
    if (rest.starts_with('[')) {
        const std::size_t close = rest.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        uri.host = rest.substr(1, close - 1);
        const auto address = IpAddress::parse(uri.host);
        if (!address || !address->is_v6()) return std::nullopt;
        rest.remove_prefix(close + 1);
    } else {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        uri.host = rest.substr(0, end);
        if (!is_name(uri.host)) return std::nullopt;
        rest.remove_prefix(end);
    }
    if (rest.empty()) return uri;
    if (!rest.starts_with(':')) return std::nullopt;
    const auto port = parse_unsigned(rest.substr(1), 0xFFFF);
    if (!port) return std::nullopt;
    uri.port = Port{static_cast<std::uint16_t>(*port)};
    return uri;
}

std::string StunUri::to_string() const {
    std::string text = scheme == Scheme::Stun ? "stun:" : "stuns:";
    const bool brackets = host.find(':') != std::string::npos;
    text += brackets ? "[" + host + "]" : host;
    if (port) text += ":" + std::to_string(port->value);
    return text;
}

}  // namespace stile::stun
