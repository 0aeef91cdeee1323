// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/turn/server.hpp>
#include <stile/turn_server/reply_limiter.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stile::relay {

// What clients reach at one address.
enum class ListenerKind : std::uint8_t {
    Udp,   // STUN and TURN, RFC 8656; ChannelData, and DTLS where a certificate is there (RFC 7983)
    Tcp,   // STUN and TURN; TLS, too, where a certificate is there (its first octet tells)
    Tls,   // stun.turn and stun.nat-discovery by ALPN (RFC 7443); without ALPN what its first
           // octets say; everything else goes to Shared::https
    Dtls,  // RFC 7350 alone
};

enum class ProxyProtocol : std::uint8_t { NotExpected, Required };

struct Listener {
    ListenerKind kind = ListenerKind::Udp;
    SocketAddress address;                                      // port 0 chooses a free one
    std::size_t tenant = 0;                                     // index in Settings::tenants
    ProxyProtocol proxy_protocol = ProxyProtocol::NotExpected;  // version 2, on streams only
    friend bool operator==(const Listener&, const Listener&) = default;
};

struct PortRange {
    std::uint16_t first = 49152;  // RFC 6056's dynamic ports
    std::uint16_t last = 65535;
    friend bool operator==(PortRange, PortRange) = default;
};

struct Account {
    std::string username;
    turn::CredentialTable::Keys keys;
};

// What clients on TCP and TLS may cost.
struct StreamLimits {
    Duration first_message = std::chrono::seconds{10};  // TLS handshake and PROXY header included
    Duration idle = std::chrono::minutes{2};            // between messages, without an allocation
    // Connections without an allocation, of one IPv4 address or IPv6 /64, and in all; of a shard.
    std::size_t strangers_per_source = 64;
    std::size_t strangers = 8192;
    // Octets that wait for a slow client; data beyond them is dropped, as a network would.
    std::size_t buffered = 262'144;
    friend bool operator==(const StreamLimits&, const StreamLimits&) = default;
};

// Those who relay under one realm. Users, quotas and credentials of one tenant mean nothing to
// another.
struct Tenant {
    std::string realm;
    std::vector<turn::SharedSecret> secrets;  // for rotation several at once
    std::vector<Account> accounts;
    // Of authorization servers, RFC 7635; for rotation several at once. Where there are any,
    // limits.authentication.third_party is the name that tokens are made for.
    std::vector<turn::TokenKey> token_keys;
    // Quotas, the policy of peers and what is offered; realm, nonce key and addresses are filled
    // in.
    turn::ServerConfig limits;
};

// Where relays are opened, and what peers see instead behind 1:1 NAT.
struct RelayAddress {
    IpAddress local;
    std::optional<IpAddress> external;
    friend bool operator==(const RelayAddress&, const RelayAddress&) = default;
};

enum class KernelPath : std::uint8_t { Off, Automatic, XdpNative, Tc, XdpGeneric };

// All that an operator may say, checked and complete. Plain data: two of them can be compared.
struct Settings {
    std::vector<Listener> listeners;
    std::vector<Tenant> tenants;  // at least one
    std::vector<RelayAddress> relay_addresses;
    PortRange ports;
    std::vector<IpAddress> own_addresses;  // never peers
    // Answers to who has shown no credential, Binding included; of each tenant on each shard.
    turn_server::ReplyLimits replies;
    StreamLimits streams;
    // RFC 5780: the second address and port; absent where there is only one.
    std::optional<SocketAddress> alternate;
    std::string certificate_pem;  // with its intermediates; empty: no TLS and no DTLS
    std::string key_pem;
    std::array<std::byte, 32> nonce_key{};  // the same on all servers that share an address
    std::size_t shards = 0;                 // 0: one a core
    KernelPath kernel_path = KernelPath::Off;
    // Where clients are sent while this server drains. RFC 8489 Section 10.
    std::optional<SocketAddress> redirect;
    std::string redirect_domain;
};

}  // namespace stile::relay
