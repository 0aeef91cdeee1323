// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/turn_uri.hpp>

#include <stile/base/text.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

using ParseError = TurnUri::ParseError;

// reg-name of RFC 3986, without percent-encoding: DNS names need none.
bool is_name(std::string_view host) {
    return !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [](char c) {
        return is_alnum(c) || c == '-' || c == '.' || c == '_';
    });
}

// Takes the host from the front of `rest`.
std::optional<std::string_view> take_host(std::string_view& rest) {
    if (rest.starts_with('[')) {
        const std::size_t close = rest.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        const std::string_view host = rest.substr(1, close - 1);
        const auto address = IpAddress::parse(host);
        rest.remove_prefix(close + 1);
        if (!address || !address->is_v6()) return std::nullopt;
        return host;
    }
    const std::size_t end = std::min(rest.find_first_of(":?"), rest.size());
    const std::string_view host = rest.substr(0, end);
    rest.remove_prefix(end);
    if (!is_name(host)) return std::nullopt;
    return host;
}

std::optional<TurnUri::Transport> transport_named(std::string_view name) {
    if (iequals(name, "udp")) return TurnUri::Transport::Udp;
    if (iequals(name, "tcp")) return TurnUri::Transport::Tcp;
    return std::nullopt;
}

}  // namespace

std::expected<TurnUri, ParseError> TurnUri::parse(std::string_view text) {
    if (text.size() > most_octets) return std::unexpected{ParseError::TooLong};
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::unexpected{ParseError::NotTurn};
    TurnUri uri;
    if (iequals(text.substr(0, colon), "turns")) {
        uri.scheme = Scheme::Turns;
    } else if (!iequals(text.substr(0, colon), "turn")) {
        return std::unexpected{ParseError::NotTurn};
    }
    std::string_view rest = text.substr(colon + 1);
    const auto host = take_host(rest);
    if (!host) return std::unexpected{ParseError::BadHost};
    uri.host = *host;
    if (rest.starts_with(':')) {
        rest.remove_prefix(1);
        const auto end = std::min(rest.find('?'), rest.size());
        const auto port = parse_unsigned(rest.substr(0, end), 0xFFFF);
        if (!port || *port == 0) return std::unexpected{ParseError::BadPort};
        uri.port = Port{static_cast<std::uint16_t>(*port)};
        rest.remove_prefix(end);
    }
    if (rest.empty()) return uri;
    if (!rest.starts_with('?')) return std::unexpected{ParseError::BadHost};
    rest.remove_prefix(1);
    constexpr std::string_view key = "transport=";
    if (!iequals(rest.substr(0, key.size()), key) || rest.size() == key.size()) {
        return std::unexpected{ParseError::BadQuery};
    }
    uri.transport = transport_named(rest.substr(key.size()));
    if (!uri.transport) return std::unexpected{ParseError::UnknownTransport};
    return uri;
}

std::string TurnUri::to_string() const {
    std::string text = scheme == Scheme::Turn ? "turn:" : "turns:";
    const bool brackets = host.find(':') != std::string::npos;
    text += brackets ? "[" + host + "]" : host;
    if (port) text += ":" + std::to_string(port->value);
    if (transport) text += *transport == Transport::Udp ? "?transport=udp" : "?transport=tcp";
    return text;
}

std::string_view to_string(TurnUri::ParseError error) {
    switch (error) {
        case ParseError::TooLong:
            return "longer than 300 characters";
        case ParseError::NotTurn:
            return "does not begin with turn: or turns:";
        case ParseError::BadHost:
            return "the host is neither a name nor an address (IPv6 stands in brackets)";
        case ParseError::BadPort:
            return "the port is not a number from 1 to 65535";
        case ParseError::BadQuery:
            return "only ?transport= may follow";
        case ParseError::UnknownTransport:
            return "the transport is neither udp nor tcp";
    }
    return "";
}

}  // namespace stile::turn
