// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/topology.hpp>

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace stile::sim {

// A port nobody knows the number of, only whose it is: a socket of a host, or an outside port that
// a NAT gave away. Equal numbers mean the same port.
using PortToken = std::uint32_t;

struct Address {
    IpAddress ip;
    PortToken port = 0;
    friend auto operator<=>(const Address&, const Address&) = default;
};

struct Arrival {
    HostId host;
    Address destination;  // inside: the socket that was reached
    Address source;       // as shown there
};

enum class Protocol : std::uint8_t { Udp, Tcp };

// All that packets have left behind in the boxes; it only grows, because nothing expires.
class Rules {
public:
    explicit Rules(const Topology& topology, Protocol protocol = Protocol::Udp)
        : topology_(topology), protocol_(protocol) {}

    // The socket of a host at one of its addresses.
    Address socket(HostId host, const IpAddress& ip);
    // The same, with the port of STUN.
    Address stun_socket(HostId host, const IpAddress& ip);
    // One more, with the port of HTTPS.
    Address https_socket(HostId host, const IpAddress& ip);
    // One more socket, each time.
    Address another_socket(HostId host, const IpAddress& ip);

    // What becomes of a packet from a socket, with every trace that it leaves on its way.
    std::optional<Arrival> walk(HostId host, Address source, Address destination);

    std::size_t learned() const { return mappings_.size() + permissions_.size(); }

private:
    using Remote = std::pair<std::optional<IpAddress>, std::optional<PortToken>>;
    struct Packet {
        Address source;
        Address destination;
    };

    static Remote seen_by(Mapping mapping, const Address& remote);
    const NatBehavior& behavior_of(const Box& box) const {
        if (protocol_ == Protocol::Tcp && box.tcp_nat) return *box.tcp_nat;
        return box.nat ? *box.nat : box.nat64->behavior;
    }
    Address map_out(BoxId box, const Box& nat, const Packet& packet);
    std::optional<Address> map_in(BoxId box, const Box& nat, const Address& outside,
                                  const Address& remote) const;
    bool admitted(BoxId box, PortToken port, Filtering filtering, const Address& remote) const;
    bool passes(const Box& box, PortToken outside) const;

    // Both return whether the packet goes on; it is changed as the box changes it.
    bool go_down(BoxId box, Packet& packet) const;
    enum class Way : std::uint8_t { Outside, Back, Nowhere };
    Way go_up(BoxId box, Packet& packet);
    Way translate_up(BoxId box, Packet& packet);

    const Topology& topology_;
    Protocol protocol_;
    PortToken last_token_ = 0;
    std::map<std::pair<HostId, IpAddress>, PortToken> sockets_;
    std::set<PortToken> stun_ports_;
    std::set<PortToken> https_ports_;
    std::set<std::pair<HostId, Address>> open_;
    std::map<std::tuple<BoxId, Address, Remote>, PortToken> mappings_;
    std::map<std::pair<BoxId, PortToken>, Address> owners_;
    std::set<std::tuple<BoxId, PortToken, Address>> permissions_;
};

}  // namespace stile::sim
