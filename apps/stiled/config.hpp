// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/toml_reader.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/relay/settings_file.hpp>

#include <expected>
#include <string>
#include <vector>

namespace stile::stiled {

// What the operator may say; every line of the file is optional.
struct Config {
    std::string domain = "localhost";
    // How others reach this machine where it is behind 1:1 NAT; empty: the address they came to.
    std::vector<IpAddress> public_address;
    std::string state_directory;  // empty: chosen by the program

    struct Listen {
        std::vector<SocketAddress> sip;    // UDP and TCP
        std::vector<SocketAddress> sips;   // TLS
        std::vector<SocketAddress> turn;   // STUN and TURN over UDP and TCP
        std::vector<SocketAddress> turns;  // TURN over TLS, and HTTPS
        std::vector<SocketAddress> https;  // login
        friend bool operator==(const Listen&, const Listen&) = default;
    } listen;

    // STUN and TURN, as [turn], [metrics] and [drain] say; the realm is the domain.
    relay::SettingsFile relay;

    // Digest with MD5 is for stock phones; without TLS it is refused unless said so here.
    enum class PlainCompatible : std::uint8_t { Refused, Allowed };
    PlainCompatible plain_compatible = PlainCompatible::Refused;
};

Config default_config();

// What differs although the server takes it over at its start only; empty: nothing.
std::string_view fixed_difference(const Config& running, const Config& wanted);

// `name` is how messages call the text.
std::expected<Config, app::ConfigError> parse_config(std::string_view text, std::string_view name);

}  // namespace stile::stiled
