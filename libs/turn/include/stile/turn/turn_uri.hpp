// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/turn/client_flow.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace stile::turn {

// RFC 7065: "turn:" or "turns:", a host, maybe a port, maybe "?transport=".
struct TurnUri {
    enum class Scheme : std::uint8_t { Turn, Turns };
    enum class Transport : std::uint8_t { Udp, Tcp };
    static constexpr std::size_t most_octets = 300;  // a DNS name has at most 255

    enum class ParseError : std::uint8_t {
        TooLong,           // more than most_octets
        NotTurn,           // another scheme, or none
        BadHost,           // neither a DNS name nor an address; IPv6 stands in brackets
        BadPort,           // not a number from 1 to 65535
        BadQuery,          // something else than transport= behind the question mark
        UnknownTransport,  // of an extension (RFC 7065 Section 3.1), which is not known here
    };

    Scheme scheme = Scheme::Turn;
    std::string host;                    // a name or an address, IPv6 without brackets
    std::optional<Port> port;            // absent: found by SRV, then default_port()
    std::optional<Transport> transport;  // absent: found by NAPTR and SRV, then any

    static std::expected<TurnUri, ParseError> parse(std::string_view text);
    std::string to_string() const;

    // RFC 7065 Section 3.2.
    Port default_port() const {
        return Port{scheme == Scheme::Turn ? std::uint16_t{3478} : std::uint16_t{5349}};
    }
    std::optional<IpAddress> address() const { return IpAddress::parse(host); }
    friend bool operator==(const TurnUri&, const TurnUri&) = default;
};

// What a scheme and a transport mean: turn over UDP or TCP, turns over DTLS (RFC 7350 Section 4.6)
// or TLS.
constexpr ClientTransport transport_of(TurnUri::Scheme scheme, TurnUri::Transport transport) {
    if (scheme == TurnUri::Scheme::Turn) {
        return transport == TurnUri::Transport::Udp ? ClientTransport::Udp : ClientTransport::Tcp;
    }
    return transport == TurnUri::Transport::Udp ? ClientTransport::Dtls : ClientTransport::Tls;
}

std::string_view to_string(TurnUri::ParseError error);

}  // namespace stile::turn
