// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/long_term_server.hpp>
#include <stile/turn/channel_data.hpp>
#include <stile/turn/limits.hpp>
#include <stile/turn/peer_policy.hpp>
#include <stile/turn/relay_directory.hpp>
#include <stile/turn/token_bucket.hpp>

#include <string>

namespace stile::turn {

enum class Offer : std::uint8_t { Offered, NotOffered };

// What an expired time-limited credential still allows.
enum class ExpiredCredential : std::uint8_t {
    // Refreshing and using what was allocated with it in time, as most servers do it.
    KeepsAllocations,
    // Nothing: the allocation ends with its present lifetime.
    EndsAllocations,
};

struct ServerConfig {
    // Realm, nonce key and lifetime, algorithms, SOFTWARE.
    stun::LongTermServer::Config authentication;
    PeerPolicy peers;
    Offer ipv4 = Offer::Offered;
    Offer ipv6 = Offer::NotOffered;
    // Without it EVEN-PORT and RESERVATION-TOKEN are answered with 508.
    Offer even_ports = Offer::Offered;
    // Whether the driver honours Fragmentation::Forbidden; without it DONT-FRAGMENT gives 420.
    Offer dont_fragment = Offer::NotOffered;
    ExpiredCredential expired_credential = ExpiredCredential::KeepsAllocations;
    Duration longest_lifetime = most_lifetime;  // between default_lifetime and most_lifetime
    std::size_t allocations = 16'000;           // at most most_allocations
    std::size_t relays_per_user = 10;           // a dual allocation has two, a reservation one
    std::size_t permissions = 128;              // an allocation; at most most_permissions
    std::size_t channels = 128;                 // an allocation; at most most_channels
    std::size_t connections = 64;               // an allocation; at most most_connections
    ChannelRange channel_range = ChannelRange::Rfc8656;
    // RFC 6062, for clients over TCP and TLS. Without it REQUESTED-TRANSPORT of TCP gives 442.
    Offer tcp_relays = Offer::NotOffered;
    // RFC 8016. Without it MOBILITY-TICKET gives 405.
    Offer mobility = Offer::NotOffered;
    // Whether ChannelOpened and ChannelClosed come.
    Offer offload = Offer::NotOffered;
    // Payload octets of all relays of a user, both directions together; the excess is dropped.
    std::optional<TokenRate> user_bandwidth;
    // Packets of all relays of a user, both directions together; the excess is dropped.
    std::optional<TokenRate> user_packets;
    // Peers that a user names anew, and TCP connections that it asks for, a minute; more get 508.
    std::optional<std::uint32_t> user_new_peers;
    std::optional<std::uint32_t> user_connects;
    // First octet of reservation tokens, mobility tickets and connection ids, so that several
    // servers (shards) can share the work; see Server::shard_of_request.
    std::uint8_t shard = 0;
    // Of all shards of the host; outlives the server. Without it a server knows its own relays
    // only.
    RelayDirectory* directory = nullptr;
};

// Where clients are sent instead. RFC 8489 Section 10.
struct Redirect {
    SocketAddress address;
    std::optional<SocketAddress> other_family;  // the same server in the other address family
    std::string domain;                         // the name in its certificate; empty: the same
};

}  // namespace stile::turn
