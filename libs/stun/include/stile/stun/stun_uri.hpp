// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace stile::stun {

// RFC 7064: "stun:" or "stuns:", a host, and maybe a port.
struct StunUri {
    enum class Scheme : std::uint8_t { Stun, Stuns };
    static constexpr std::size_t most_octets = 300;  // a DNS name has at most 255

    Scheme scheme = Scheme::Stun;
    std::string host;          // a name or an address, IPv6 without brackets
    std::optional<Port> port;  // absent: SRV, then default_port()

    static std::optional<StunUri> parse(std::string_view text);
    std::string to_string() const;

    Port default_port() const {
        return Port{scheme == Scheme::Stun ? std::uint16_t{3478} : std::uint16_t{5349}};
    }
    // Set if the host is an address. A "stuns" URI with one must be rejected by whoever needs a
    // name to verify the certificate (RFC 8489 Section 8.1).
    std::optional<IpAddress> address() const { return IpAddress::parse(host); }
    friend bool operator==(const StunUri&, const StunUri&) = default;
};

}  // namespace stile::stun
