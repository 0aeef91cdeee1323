// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "commands.hpp"

#include <stile/app/problem.hpp>
#include <stile/drivers/dns.hpp>

#include <expected>
#include <string_view>

namespace stile::probe {

enum class Transport : std::uint8_t { Udp, Tcp, Tls, Dtls };
std::string_view to_string(Transport transport);

// What the file of --ca holds, for messages.
inline constexpr std::string_view authorities = "The file of trusted authorities";

// Which server the user means.
struct Target {
    Transport transport = Transport::Udp;
    std::string host;
    std::optional<Port> port;
    std::string name;  // whom a certificate must be for

    Port default_port() const {
        const bool secure = transport == Transport::Tls || transport == Transport::Dtls;
        return Port{secure ? std::uint16_t{5349} : std::uint16_t{3478}};
    }
};

// "stun:" and "stuns:" URIs (RFC 7064) with an optional "?transport=udp|tcp" as turn: URIs have
// it, or a bare host. A host that is an address needs a name to check a certificate by: RFC 8489
// Section 8.1.
std::expected<Target, app::Problem> parse_target(const CommonOptions& options);

// The addresses to try, in their order. `service` is "stun" or "stun-behavior": RFC 8489 Section 8,
// RFC 5780 Section 5.1.
std::expected<std::vector<SocketAddress>, app::Problem> resolve(drivers::Loop& loop,
                                                                const CommonOptions& options,
                                                                const Target& target,
                                                                std::string_view service);

// The address to send from: the one asked for, else the system's choice.
std::expected<IpAddress, app::Problem> local_address(const CommonOptions& options,
                                                     const SocketAddress& server);

}  // namespace stile::probe
