// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/toml_reader.hpp>
#include <stile/base/socket_address.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace stile::stiled {

struct PortRange {
    std::uint16_t first = 49152;  // RFC 6056's dynamic ports
    std::uint16_t last = 65535;
};

// What the operator may say; every line of the file is optional.
struct Config {
    std::string domain = "localhost";
    // How others reach this machine where it is behind 1:1 NAT; empty: the address they came to.
    std::vector<IpAddress> public_address;
    std::string state_directory;  // empty: chosen by the program

    struct Listen {
        std::vector<SocketAddress> sip;    // UDP and TCP
        std::vector<SocketAddress> sips;   // TLS
        std::vector<SocketAddress> turn;   // STUN and TURN over UDP
        std::vector<SocketAddress> https;  // login
    } listen;

    struct Turn {
        std::vector<IpAddress> relay_addresses;  // empty: chosen among this machine's
        PortRange relay_ports;
        std::uint32_t allocations_per_user = 16;
        std::vector<IpPrefix> allow_peers;  // opens ranges that are refused otherwise
        // RFC 8656 has fewer channel numbers than RFC 5766; clients of the older one may use all.
        enum class Channels : std::uint8_t { Rfc8656, Rfc5766 };
        Channels channels = Channels::Rfc8656;
    } turn;

    // Digest with MD5 is for stock phones; without TLS it is refused unless said so here.
    enum class PlainCompatible : std::uint8_t { Refused, Allowed };
    PlainCompatible plain_compatible = PlainCompatible::Refused;
};

Config default_config();

// `name` is how messages call the text.
std::expected<Config, app::ConfigError> parse_config(std::string_view text, std::string_view name);

}  // namespace stile::stiled
