// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/socket_address.hpp>

#include <stile/base/text.hpp>

namespace stile {

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
    std::string_view host;
    std::string_view port_text;
    if (text.starts_with('[')) {
        const std::size_t close = text.find("]:");
        if (close == std::string_view::npos) return std::nullopt;
        host = text.substr(1, close - 1);
        port_text = text.substr(close + 2);
        if (host.find(':') == std::string_view::npos) return std::nullopt;
    } else {
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos) return std::nullopt;
        host = text.substr(0, colon);
        port_text = text.substr(colon + 1);
    }
    const auto ip = IpAddress::parse(host);
    const auto port = parse_unsigned(port_text, 65535);
    if (!ip || !port) return std::nullopt;
    return SocketAddress{*ip, Port{static_cast<std::uint16_t>(*port)}};
}

std::string SocketAddress::to_string() const {
    const std::string host = ip.is_v6() ? '[' + ip.to_string() + ']' : ip.to_string();
    return host + ':' + std::to_string(port.value);
}

}  // namespace stile
