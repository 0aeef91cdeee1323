// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

// c=. RFC 8866 Section 5.7.
struct Connection {
    std::string network = "IN";
    std::string address_type = "IP4";
    std::string address = "0.0.0.0";  // multicast addresses with their /ttl and /count

    // A unicast address of either family.
    static Connection unicast(const IpAddress& ip);
    // Empty for a domain name, a multicast address with a suffix, or another network.
    std::optional<IpAddress> ip() const;
    friend bool operator==(const Connection&, const Connection&) = default;
};

// b=. RFC 8866 Section 5.8.
struct Bandwidth {
    std::string type;
    std::uint64_t value = 0;
    friend bool operator==(const Bandwidth&, const Bandwidth&) = default;
};

// m= and the lines that belong to it. RFC 8866 Section 5.14.
struct MediaDescription {
    std::string media = "application";
    Port port;                                // 0: rejected, or no longer in use (RFC 3264)
    std::optional<std::uint32_t> port_count;  // what follows a slash
    std::string proto;
    std::vector<std::string> formats;  // never empty after parse()
    std::optional<std::string> title;  // i=
    std::vector<Connection> connections;
    std::vector<Bandwidth> bandwidths;
    std::optional<std::string> key;  // k=, obsolete; kept, never used
    Attributes attributes;

    bool rejected() const { return port.value == 0; }
    // "UDP/TLS/RTP/SAVPF" and "udp/tls/rtp/savpf" are the same.
    bool is_proto(std::string_view other) const;
    friend bool operator==(const MediaDescription&, const MediaDescription&) = default;
};

}  // namespace stile::sdp
