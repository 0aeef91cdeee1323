// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/sim/nat_behavior.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::sim {

struct HostId {
    std::uint32_t value = 0;
    friend auto operator<=>(HostId, HostId) = default;
};
struct NetworkId {
    std::uint32_t value = 0;
    friend auto operator<=>(NetworkId, NetworkId) = default;
};
struct BoxId {
    std::uint32_t value = 0;
    friend auto operator<=>(BoxId, BoxId) = default;
};

struct Probability {
    static constexpr std::uint32_t certain = 1'000'000;
    std::uint32_t per_million = 0;  // at most `certain`

    static constexpr Probability percent(std::uint32_t percent) { return {percent * 10'000}; }
};

// What happens to a datagram on one link, in either direction.
struct Link {
    Duration delay = std::chrono::milliseconds{5};
    Duration jitter{0};  // up to this much more, drawn for each datagram: hence reordering
    Probability loss;
    // Towards the host, or the inside; absent: the same.
    std::optional<Probability> loss_inwards{};
    Probability duplication;
    std::size_t mtu = 1500;  // larger IP packets are lost: nothing is fragmented
};

enum class Udp : std::uint8_t {
    Allowed,
    StunOnly,  // only with port 3478 outside, whatever it is used for there
    Blocked,
};
inline constexpr Port stun_port{3478};

enum class Tcp : std::uint8_t {
    Allowed,
    HttpsOnly,  // only with port 443 outside
    Blocked,
};
inline constexpr Port https_port{443};

// How a box answers a SYN from outside that it does not let in. RFC 5382 Section 4.3 asks it to be
// silent for six seconds at least, since a simultaneous open may be under way; some are not.
enum class UnexpectedSyn : std::uint8_t { Dropped, Reset, Unreachable };

// RFC 6052 with 96 bits, the well-known prefix or a network's own.
class TranslationPrefix {
public:
    // Requires: an IPv6 address that ends in 32 zero bits.
    explicit TranslationPrefix(IpAddress prefix);
    static TranslationPrefix well_known();  // 64:ff9b::/96

    const IpAddress& address() const { return prefix_; }
    // Requires: v4 is IPv4.
    IpAddress embed(const IpAddress& v4) const;
    // Nothing for an address outside of the prefix.
    std::optional<IpAddress> extract(const IpAddress& v6) const;

private:
    IpAddress prefix_;
};

// RFC 6146: IPv6 hosts inside reach IPv4 ones outside by addresses under the prefix.
struct Nat64 {
    TranslationPrefix prefix = TranslationPrefix::well_known();
    NatBehavior behavior;
};

// What a box does to payloads. RFC 4787 Section 7 advises against it; it is why STUN hides
// addresses (RFC 8489 Section 14.2).
enum class Alg : std::uint8_t {
    None,
    // Wherever the four octets of the inside address are in what leaves, the outside one is put,
    // and the other way round in what enters.
    RewritesAddresses,
};

// A router between an inside and an outside network. With `nat` it translates IPv4, with `nat64`
// IPv6 to IPv4; what it does not translate it routes, through a stateful firewall if there is one.
// With `nat64` no IPv4 passes untranslated.
struct Box {
    std::string name;
    NetworkId outside;
    NetworkId inside;                   // made by add_box
    std::optional<NatBehavior> nat;     // absent: routes IPv4 too
    std::optional<Nat64> nat64;         // not together with nat
    IpAddress external;                 // meaningful with nat or nat64
    std::optional<Filtering> firewall;  // absent: open
    Duration firewall_lifetime = std::chrono::minutes{5};
    Udp udp = Udp::Allowed;
    Tcp tcp = Tcp::Allowed;
    UnexpectedSyn unexpected_syn = UnexpectedSyn::Dropped;
    // For TCP the NAT or NAT64 behaves so, apart from its lifetime; absent: as for UDP.
    std::optional<NatBehavior> tcp_nat;
    // Of what TCP leaves behind, be it established or not. RFC 5382 Section 5: not less.
    Duration tcp_lifetime = std::chrono::minutes{124};
    Alg alg = Alg::None;  // meaningful with nat
    Link uplink;

    bool translates(AddressFamily family) const {
        return (nat || nat64) && family == AddressFamily::V4;
    }
    // The IPv4 address that a packet from inside to this one goes to by NAT64.
    std::optional<IpAddress> beyond_nat64(const IpAddress& destination) const {
        return nat64 ? nat64->prefix.extract(destination) : std::nullopt;
    }
};

struct Interface {
    NetworkId network;
    IpAddress address;
    Link link;
};

struct Host {
    std::string name;
    std::vector<Interface> interfaces;
};

// A tree of networks below the internet: what there is, without any state of a run. Addresses need
// to be unique only within a network and what is routed from it.
class Topology {
public:
    static constexpr NetworkId internet{0};

    // Requires: address is not on the network yet.
    HostId add_host(std::string name, NetworkId network, IpAddress address, Link link = {});
    void add_interface(HostId host, NetworkId network, IpAddress address, Link link = {});
    void remove_interface(HostId host, IpAddress address);
    // `box.inside` is ignored and set. Requires: not both kinds of translation.
    BoxId add_box(Box box);

    // A NAT box in front of a new network.
    NetworkId add_nat(NetworkId outside, IpAddress external, NatBehavior behavior,
                      Link uplink = {});
    // A NAT64 in front of a new network of IPv6, whose other packets pass the firewall.
    NetworkId add_nat64(NetworkId outside, IpAddress external, const Nat64& nat64,
                        std::optional<Filtering> firewall, Link uplink = {});
    // A firewall in front of a new network.
    NetworkId add_firewall(NetworkId outside, std::optional<Filtering> filtering,
                           Udp udp = Udp::Allowed, Link uplink = {});

    const std::vector<Host>& hosts() const { return hosts_; }
    const std::vector<Box>& boxes() const { return boxes_; }
    const Host& host(HostId id) const { return hosts_.at(id.value); }
    const Box& box(BoxId id) const { return boxes_.at(id.value); }
    Box& box(BoxId id) { return boxes_.at(id.value); }
    // Nothing if the host has no such address.
    const Interface* interface_of(HostId id, const IpAddress& address) const;
    Interface* interface_of(HostId id, const IpAddress& address);

    // Who takes a packet for the address on this network: a host on it, or a box whose external
    // address it is or that routes to it.
    using NextHop = std::variant<std::monostate, HostId, BoxId>;
    NextHop next_hop(NetworkId network, const IpAddress& address) const;
    // The box that this network is inside of; none for the internet.
    std::optional<BoxId> gateway_of(NetworkId network) const;

private:
    std::vector<Host> hosts_;
    std::vector<Box> boxes_;
    std::vector<std::optional<BoxId>> gateways_{std::nullopt};  // by network
};

}  // namespace stile::sim
