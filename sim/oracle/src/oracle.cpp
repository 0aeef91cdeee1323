// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/oracle.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace stile::sim {
namespace {

constexpr unsigned most_hops = 32;

// Two NATs with address- and port-dependent mapping and open filters show each other new ports
// without end. What such a chain has not closed in its first generations it never closes, since
// each one looks like the one before.
constexpr unsigned most_generations = 8;

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

// All that packets have left behind in the boxes; it only grows, because nothing expires.
class Rules {
public:
    explicit Rules(const Topology& topology) : topology_(topology) {}

    // The socket of a host at one of its addresses.
    Address socket(HostId host, const IpAddress& ip) {
        const auto number = next_token();
        const PortToken token = sockets_.try_emplace({host, ip}, number).first->second;
        return {ip, token};
    }

    // What becomes of a packet from a socket, with every trace that it leaves on its way.
    std::optional<Arrival> walk(HostId host, Address source, Address destination);

    std::size_t learned() const { return mappings_.size() + permissions_.size(); }

private:
    using Remote = std::pair<std::optional<IpAddress>, std::optional<PortToken>>;
    struct Packet {
        Address source;
        Address destination;
    };

    PortToken next_token() const {
        return static_cast<PortToken>(sockets_.size() + mappings_.size() + 1);
    }

    static Remote seen_by(Mapping mapping, const Address& remote) {
        switch (mapping) {
            case Mapping::EndpointIndependent:
                return {std::nullopt, std::nullopt};
            case Mapping::AddressDependent:
                return {remote.ip, std::nullopt};
            case Mapping::AddressAndPortDependent:
                return {remote.ip, remote.port};
        }
        return {};
    }

    // RFC 4787 Section 4.1: the outside address of a packet that leaves.
    Address map_out(BoxId box, const Box& nat, const Packet& packet) {
        const Remote remote = seen_by(nat.nat->mapping, packet.destination);
        const auto number = next_token();
        const PortToken token =
            mappings_.try_emplace({box, packet.source, remote}, number).first->second;
        owners_.try_emplace({box, token}, packet.source);
        permissions_.insert({box, token, packet.destination});
        return {nat.external, token};
    }

    // RFC 4787 Section 5: whether the owner of the port has sent to what the filter asks for.
    bool admitted(BoxId box, PortToken port, Filtering filtering, const Address& remote) const {
        return std::ranges::any_of(permissions_, [&](const auto& permission) {
            const auto& [at, owner, sent_to] = permission;
            if (at != box || owner != port) return false;
            switch (filtering) {
                case Filtering::EndpointIndependent:
                    return true;
                case Filtering::AddressDependent:
                    return sent_to.ip == remote.ip;
                case Filtering::AddressAndPortDependent:
                    return sent_to == remote;
            }
            return false;
        });
    }

    std::optional<Address> map_in(BoxId box, const Box& nat, const Address& outside,
                                  const Address& remote) const {
        const auto owner = owners_.find({box, outside.port});
        if (owner == owners_.end()) return std::nullopt;
        if (!admitted(box, outside.port, nat.nat->filtering, remote)) return std::nullopt;
        return owner->second;
    }

    // Both return whether the packet goes on; it is changed as the box changes it.
    bool go_down(BoxId box, Packet& packet) const;
    enum class Way : std::uint8_t { Outside, Back, Nowhere };
    Way go_up(BoxId box, Packet& packet);

    const Topology& topology_;
    std::map<std::pair<HostId, IpAddress>, PortToken> sockets_;
    std::map<std::tuple<BoxId, Address, Remote>, PortToken> mappings_;
    std::map<std::pair<BoxId, PortToken>, Address> owners_;
    std::set<std::tuple<BoxId, PortToken, Address>> permissions_;
};

bool Rules::go_down(BoxId id, Packet& packet) const {
    const Box& box = topology_.box(id);
    if (box.udp == Udp::Blocked) return false;
    if (box.translates(packet.destination.ip.family())) {
        const auto inside = map_in(id, box, packet.destination, packet.source);
        if (!inside) return false;
        packet.destination = *inside;
        return true;
    }
    return !box.firewall || admitted(id, packet.destination.port, *box.firewall, packet.source);
}

Rules::Way Rules::go_up(BoxId id, Packet& packet) {
    const Box& box = topology_.box(id);
    if (box.udp == Udp::Blocked) return Way::Nowhere;
    if (!box.translates(packet.destination.ip.family())) {
        if (box.firewall) permissions_.insert({id, packet.source.port, packet.destination});
        return Way::Outside;
    }
    if (packet.destination.ip != box.external) {
        packet.source = map_out(id, box, packet);
        return Way::Outside;
    }
    // RFC 4787 Section 6.
    if (box.nat->hairpin == Hairpin::None) return Way::Nowhere;
    const Address outside = map_out(id, box, packet);
    const auto inside = map_in(id, box, packet.destination, outside);
    if (!inside) return Way::Nowhere;
    if (box.nat->hairpin == Hairpin::ExternalSource) packet.source = outside;
    packet.destination = *inside;
    return Way::Back;
}

std::optional<Arrival> Rules::walk(HostId host, Address source, Address destination) {
    const Interface* const from = topology_.interface_of(host, source.ip);
    if (from == nullptr) return std::nullopt;
    Packet packet{source, destination};
    NetworkId network = from->network;
    bool upwards = true;
    for (unsigned hops = 0; hops < most_hops; ++hops) {
        const Topology::NextHop next = topology_.next_hop(network, packet.destination.ip);
        if (const auto* reached = std::get_if<HostId>(&next)) {
            // The address may be another host's in this network: that has no such socket.
            const auto own = sockets_.find({*reached, packet.destination.ip});
            if (own == sockets_.end() || own->second != packet.destination.port) {
                return std::nullopt;
            }
            return Arrival{*reached, packet.destination, packet.source};
        }
        if (const auto* down = std::get_if<BoxId>(&next)) {
            if (!go_down(*down, packet)) return std::nullopt;
            network = topology_.box(*down).inside;
            upwards = false;
            continue;
        }
        const auto gateway = topology_.gateway_of(network);
        if (!gateway || !upwards) return std::nullopt;
        switch (go_up(*gateway, packet)) {
            case Way::Outside:
                network = topology_.box(*gateway).outside;
                break;
            case Way::Back:
                upwards = false;
                break;
            case Way::Nowhere:
                return std::nullopt;
        }
    }
    return std::nullopt;
}

// One side: its sockets, and from which of them it would send where.
struct Side {
    HostId host;
    std::vector<Address> sockets;
    std::vector<Address> reflexive;
    std::set<std::pair<Address, Address>> pairs;  // own socket, remote
};

Side gather(Rules& rules, const Topology& topology, HostId host, HostId stun_server) {
    Side side{.host = host, .sockets = {}, .reflexive = {}, .pairs = {}};
    for (const Interface& one : topology.host(host).interfaces) {
        side.sockets.push_back(rules.socket(host, one.address));
    }
    for (const Address& socket : side.sockets) {
        for (const Interface& one : topology.host(stun_server).interfaces) {
            const Address server = rules.socket(stun_server, one.address);
            if (server.ip.family() != socket.ip.family()) continue;
            const auto arrival = rules.walk(host, socket, server);
            if (arrival) side.reflexive.push_back(arrival->source);
        }
    }
    return side;
}

void learn_candidates(Side& side, const Side& peer) {
    for (const Address& socket : side.sockets) {
        for (const std::vector<Address>* known : {&peer.sockets, &peer.reflexive}) {
            for (const Address& remote : *known) {
                if (remote.ip.family() == socket.ip.family()) side.pairs.insert({socket, remote});
            }
        }
    }
}

// Sends over every pair; the peer learns the source of what reaches it.
void send_all(Rules& rules, const Side& side, Side& peer) {
    for (const auto& [socket, remote] : side.pairs) {
        const auto arrival = rules.walk(side.host, socket, remote);
        if (arrival && arrival->host == peer.host) {
            peer.pairs.insert({arrival->destination, arrival->source});
        }
    }
}

bool has_round_trip(Rules& rules, const Side& side, const Side& peer) {
    return std::ranges::any_of(side.pairs, [&](const auto& pair) {
        const auto& [socket, remote] = pair;
        const auto there = rules.walk(side.host, socket, remote);
        if (!there || there->host != peer.host) return false;
        const auto back = rules.walk(peer.host, there->destination, there->source);
        return back && back->host == side.host && back->destination == socket &&
               back->source == remote;
    });
}

}  // namespace

DirectPath direct_udp_path(const Topology& topology, HostId left, HostId right,
                           HostId stun_server) {
    Rules rules{topology};
    // Sockets first, so that a packet to one that has not sent yet finds it.
    for (const HostId host : {left, right, stun_server}) {
        for (const Interface& one : topology.host(host).interfaces) rules.socket(host, one.address);
    }
    Side one = gather(rules, topology, left, stun_server);
    Side two = gather(rules, topology, right, stun_server);
    learn_candidates(one, two);
    learn_candidates(two, one);
    for (unsigned generation = 0; generation < most_generations; ++generation) {
        const std::size_t before = rules.learned() + one.pairs.size() + two.pairs.size();
        send_all(rules, one, two);
        send_all(rules, two, one);
        if (rules.learned() + one.pairs.size() + two.pairs.size() == before) break;
    }
    return has_round_trip(rules, one, two) || has_round_trip(rules, two, one)
               ? DirectPath::Possible
               : DirectPath::Impossible;
}

}  // namespace stile::sim
