// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/sim/oracle.hpp>
#include <stile/sim/topology.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace stile::sim {

// Whether the two hosts' datagrams pass the internet to each other. The server's do in any case.
enum class Middle : std::uint8_t { Open, Blocked };

// Where what leads nowhere stands among its kind.
enum class Order : std::uint8_t { First, Last };

// Another network for a host: addresses on it, best first.
struct Uplink {
    NetworkId network;
    std::vector<IpAddress> addresses;
    Link link;
};

// A server on the internet, two hosts somewhere, and the sockets that they open.
struct Scene {
    std::string name;
    Topology topology;
    HostId server{};
    HostId left{};
    HostId right{};
    std::vector<SocketAddress> server_sockets;  // STUN and TURN; the first is IPv4
    std::vector<IpAddress> left_addresses;
    std::vector<IpAddress> right_addresses;
    std::optional<TranslationPrefix> left_prefix;  // where the side knows of a NAT64
    std::optional<TranslationPrefix> right_prefix;
    Middle middle = Middle::Open;
    // With TCP both listen, and the relay is at its ports over TCP and at 443 over TLS, too.
    Transports transports = Transports::UdpOnly;
    // One of the two that has nothing but TCP, and no server.
    struct TcpPeerAt {
        HostId host;
        TcpPeer does;
    };
    std::optional<TcpPeerAt> tcp_peer;
    // Servers that both sides are told of beside the other, and that are not there.
    std::vector<SocketAddress> silent_stun_servers;
    std::vector<SocketAddress> silent_turn_servers;
    Order silent_servers = Order::Last;
};

enum class Weather : std::uint8_t {
    Fair,   // nothing is lost
    Rough,  // loss, reordering and duplicates, drawn by the seed
};

// The nine products of RFC 4787's mappings and filterings.
inline constexpr std::array mappings{Mapping::EndpointIndependent, Mapping::AddressDependent,
                                     Mapping::AddressAndPortDependent};
inline constexpr std::array filterings{Filtering::EndpointIndependent, Filtering::AddressDependent,
                                       Filtering::AddressAndPortDependent};
struct NatKind {
    Mapping mapping;
    Filtering filtering;
};
std::vector<NatKind> nat_kinds();
std::string to_string(NatKind kind);

// Two homes, each behind a NAT. The seed draws what else a NAT may do, the links, and whether both
// homes use the same private addresses.
Scene two_homes(NatKind left, NatKind right, std::uint64_t seed, Weather weather);

// The same with everything of the NATs said, on lines that lose nothing, and a server that has two
// ports for STUN.
Scene two_homes(const NatBehavior& left, const NatBehavior& right, std::uint64_t seed);

enum class Place : std::uint8_t {
    BothPublic,
    OnePublic,
    SameHome,        // two hosts behind one NAT
    SameCarrier,     // two homes behind one carrier's NAT, which does not hairpin or does
    Firewalls,       // public addresses behind stateful firewalls
    DualStack,       // hard NATs for IPv4, firewalled IPv6 beside them
    BlockedBetween,  // easy NATs, but nothing passes between the two
    count,
};
std::string_view to_string(Place place);
Scene make_place(Place place, std::uint64_t seed, Weather weather);

// A network that lets nothing out but TCP to port 443, and a peer with a public address that has
// nothing but TCP. Where it opens connections a firewall lets nothing in. The seed draws which of
// the two controls.
Scene tcp_peer_scene(TcpPeer does, std::uint64_t seed);

// Blocks all UDP of one host: with UDP alone, nothing can work.
Scene blocked_home(std::uint64_t seed);

}  // namespace stile::sim
