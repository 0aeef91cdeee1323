// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/oracle.hpp>

#include "rules.hpp"

#include <algorithm>
#include <vector>

namespace stile::sim {
namespace {

// Two NATs with address- and port-dependent mapping and open filters show each other new ports
// without end. What such a chain has not closed in its first generations it never closes, since
// each one looks like the one before.
constexpr unsigned most_generations = 8;

// One side: its sockets, and from which of them it would send where.
struct Side {
    HostId host;
    std::optional<TranslationPrefix> prefix;  // where it has no IPv4, but a NAT64
    std::vector<Address> sockets = {};
    std::vector<Address> reflexive = {};
    std::vector<Address> relays = {};                  // relayed addresses, one a family
    std::set<std::pair<Address, Address>> pairs = {};  // own socket, remote
};

// The nearest NAT64 above a host that has IPv6 alone.
std::optional<TranslationPrefix> prefix_of(const Topology& topology, HostId host) {
    std::optional<TranslationPrefix> prefix;
    for (const Interface& one : topology.host(host).interfaces) {
        if (one.address.is_v4()) return std::nullopt;
        for (auto box = topology.gateway_of(one.network); box && !prefix;
             box = topology.gateway_of(topology.box(*box).outside)) {
            if (topology.box(*box).nat64) prefix = topology.box(*box).nat64->prefix;
        }
    }
    return prefix;
}

// The addresses by which a side sends to that of another.
std::vector<Address> ways_to(const Side& side, const Address& remote) {
    std::vector<Address> ways{remote};
    if (!side.prefix || !remote.ip.is_v4()) return ways;
    // RFC 6052 Section 3.1: the well-known prefix is not for private addresses.
    const bool is_own = side.prefix->address() != TranslationPrefix::well_known().address();
    if (is_own || !remote.ip.is_private()) {
        ways.push_back({side.prefix->embed(remote.ip), remote.port});
    }
    return ways;
}

bool comes_back(const std::optional<Arrival>& back, HostId host, const Address& socket,
                const Address& remote) {
    return back && back->host == host && back->destination == socket && back->source == remote;
}

// A host without IPv4 asks over IPv6, and gets an address of each family that the server has; one
// with IPv4 asks over that.
std::vector<Address> relays_of(Rules& rules, const Topology& topology, HostId host, HostId server) {
    const std::vector<Interface>& own = topology.host(host).interfaces;
    const bool has_v4 =
        std::ranges::any_of(own, [](const Interface& one) { return one.address.is_v4(); });
    std::vector<Address> relays;
    for (const Interface& one : topology.host(server).interfaces) {
        if (has_v4 && !one.address.is_v4()) continue;
        relays.push_back(rules.another_socket(server, one.address));
    }
    return relays;
}

Side gather(Rules& rules, const Topology& topology, HostId host, HostId server) {
    Side side{.host = host, .prefix = prefix_of(topology, host)};
    for (const Interface& one : topology.host(host).interfaces) {
        side.sockets.push_back(rules.socket(host, one.address));
    }
    for (const Address& socket : side.sockets) {
        for (const Interface& one : topology.host(server).interfaces) {
            const Address service = rules.stun_socket(server, one.address);
            for (const Address& way : ways_to(side, service)) {
                if (way.ip.family() != socket.ip.family()) continue;
                const auto arrival = rules.walk(host, socket, way);
                if (!arrival) continue;
                const auto back = rules.walk(server, arrival->destination, arrival->source);
                if (!comes_back(back, host, socket, way)) continue;
                side.reflexive.push_back(arrival->source);
                if (side.relays.empty()) side.relays = relays_of(rules, topology, host, server);
            }
        }
    }
    return side;
}

void learn_candidates(Side& side, const Side& peer) {
    for (const Address& socket : side.sockets) {
        for (const std::vector<Address>* known : {&peer.sockets, &peer.reflexive}) {
            for (const Address& candidate : *known) {
                for (const Address& remote : ways_to(side, candidate)) {
                    if (remote.ip.family() != socket.ip.family()) continue;
                    side.pairs.insert({socket, remote});
                }
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

Passage passage_of(const IpAddress& one, const IpAddress& other) {
    if (one.family() != other.family()) return Passage::Translated;
    return one.is_v4() ? Passage::V4 : Passage::V6;
}

BestPath best_direct(Rules& rules, const Side& side, const Side& peer) {
    BestPath best;
    for (const auto& [socket, remote] : side.pairs) {
        const auto there = rules.walk(side.host, socket, remote);
        if (!there || there->host != peer.host) continue;
        const auto back = rules.walk(peer.host, there->destination, there->source);
        if (!comes_back(back, side.host, socket, remote)) continue;
        const bool is_as_sent = there->destination == remote && there->source == socket;
        best = std::max(best, BestPath{is_as_sent ? PathKind::Host : PathKind::Reflexive,
                                       passage_of(socket.ip, there->destination.ip)});
    }
    return best;
}

// Whether the owner's relay admits packets from the address: it asked for that of all candidates.
bool is_permitted(const Side& owner, const Side& sender, const IpAddress& source) {
    const auto has = [&](const Address& known) { return known.ip == source; };
    return std::ranges::any_of(sender.sockets, has) || std::ranges::any_of(sender.reflexive, has) ||
           std::ranges::any_of(owner.pairs, [&](const auto& pair) { return has(pair.second); });
}

bool reaches_relay(Rules& rules, const Side& sender, const Side& owner, HostId server) {
    const auto arrives = [&](const Address& socket, const Address& way) {
        if (way.ip.family() != socket.ip.family()) return false;
        const auto there = rules.walk(sender.host, socket, way);
        if (!there || there->host != server) return false;
        if (!is_permitted(owner, sender, there->source.ip)) return false;
        const auto back = rules.walk(server, there->destination, there->source);
        return comes_back(back, sender.host, socket, way);
    };
    for (const Address& socket : sender.sockets) {
        for (const Address& relay : owner.relays) {
            for (const Address& way : ways_to(sender, relay)) {
                if (arrives(socket, way)) return true;
            }
        }
    }
    return false;
}

// One side over TCP: what listens there, by what the peer knows it, and who would connect where.
struct TcpSide {
    HostId host;
    std::optional<TranslationPrefix> prefix;
    std::vector<Address> passive = {};  // ports that only accept, and as the server sees them
    std::vector<Address> open = {};     // of simultaneous open; they connect, too
    std::vector<Address> open_sockets = {};
    std::set<std::pair<Address, Address>> pairs = {};  // own socket, remote
};

struct TcpServer {
    HostId host;
    std::vector<Address> stun;
    std::vector<Address> https;
};

TcpServer tcp_server(Rules& rules, const Topology& topology, HostId host) {
    TcpServer server{.host = host, .stun = {}, .https = {}};
    for (const Interface& one : topology.host(host).interfaces) {
        server.stun.push_back(rules.stun_socket(host, one.address));
        server.https.push_back(rules.https_socket(host, one.address));
    }
    return server;
}

// As what the server sees the socket when it connects there.
std::optional<Address> seen_by_server(Rules& rules, HostId host,
                                      const std::optional<TranslationPrefix>& prefix,
                                      const Address& socket, HostId server,
                                      const std::vector<Address>& services) {
    const Side side{.host = host, .prefix = prefix};
    for (const Address& service : services) {
        for (const Address& way : ways_to(side, service)) {
            if (way.ip.family() != socket.ip.family()) continue;
            const auto arrival = rules.walk(host, socket, way);
            if (!arrival || arrival->host != server) continue;
            const auto back = rules.walk(server, arrival->destination, arrival->source);
            if (comes_back(back, host, socket, way)) return arrival->source;
        }
    }
    return std::nullopt;
}

TcpSide gather_tcp(Rules& rules, const Topology& topology, HostId host, const TcpServer& server) {
    TcpSide side{.host = host, .prefix = prefix_of(topology, host)};
    for (const Interface& one : topology.host(host).interfaces) {
        for (std::vector<Address>* known : {&side.passive, &side.open}) {
            const Address socket = rules.another_socket(host, one.address);
            known->push_back(socket);
            if (known == &side.open) side.open_sockets.push_back(socket);
            const auto seen =
                seen_by_server(rules, host, side.prefix, socket, server.host, server.stun);
            if (seen) known->push_back(*seen);
        }
    }
    return side;
}

bool reaches_by_stream(Rules& rules, const Topology& topology, HostId host,
                       const TcpServer& server) {
    const auto prefix = prefix_of(topology, host);
    return std::ranges::any_of(topology.host(host).interfaces, [&](const Interface& one) {
        const Address socket = rules.another_socket(host, one.address);
        return seen_by_server(rules, host, prefix, socket, server.host, server.stun) ||
               seen_by_server(rules, host, prefix, socket, server.host, server.https);
    });
}

// RFC 6544 Section 6.2: active with passive, simultaneous open with its like.
void pair_tcp(Rules& rules, const Topology& topology, TcpSide& side, const TcpSide& peer) {
    const Side as_side{.host = side.host, .prefix = side.prefix};
    for (const Address& candidate : peer.passive) {
        for (const Address& remote : ways_to(as_side, candidate)) {
            for (const Interface& one : topology.host(side.host).interfaces) {
                if (remote.ip.family() != one.address.family()) continue;
                side.pairs.insert({rules.another_socket(side.host, one.address), remote});
            }
        }
    }
    for (const Address& candidate : peer.open) {
        for (const Address& remote : ways_to(as_side, candidate)) {
            for (const Address& socket : side.open_sockets) {
                if (remote.ip.family() == socket.ip.family()) side.pairs.insert({socket, remote});
            }
        }
    }
}

bool listens(const TcpSide& side, const Address& socket) {
    const auto is_it = [&](const Address& one) { return one == socket; };
    return std::ranges::any_of(side.passive, is_it) || std::ranges::any_of(side.open, is_it);
}

BestPath best_tcp(Rules& rules, const TcpSide& side, const TcpSide& peer) {
    BestPath best;
    for (const auto& [socket, remote] : side.pairs) {
        const auto there = rules.walk(side.host, socket, remote);
        if (!there || there->host != peer.host || !listens(peer, there->destination)) continue;
        const auto back = rules.walk(peer.host, there->destination, there->source);
        if (!comes_back(back, side.host, socket, remote)) continue;
        const bool is_as_sent = there->destination == remote && there->source == socket;
        best = std::max(best, BestPath{is_as_sent ? PathKind::TcpHost : PathKind::TcpReflexive,
                                       passage_of(socket.ip, there->destination.ip)});
    }
    return best;
}

void open_all(Rules& rules, const TcpSide& one, const TcpSide& two) {
    for (unsigned generation = 0; generation < most_generations; ++generation) {
        const std::size_t before = rules.learned();
        for (const TcpSide* const side : {&one, &two}) {
            for (const auto& [socket, remote] : side->pairs) rules.walk(side->host, socket, remote);
        }
        if (rules.learned() == before) break;
    }
}

BestPath direct_over_tcp(Rules& rules, const Topology& topology, HostId left, HostId right,
                         const TcpServer& server) {
    TcpSide one = gather_tcp(rules, topology, left, server);
    TcpSide two = gather_tcp(rules, topology, right, server);
    pair_tcp(rules, topology, one, two);
    pair_tcp(rules, topology, two, one);
    open_all(rules, one, two);
    return std::max(best_tcp(rules, one, two), best_tcp(rules, two, one));
}

}  // namespace

std::string_view to_string(PathKind kind) {
    switch (kind) {
        case PathKind::None:
            return "none";
        case PathKind::RelayedByBoth:
            return "relayed by both";
        case PathKind::RelayedByOne:
            return "relayed by one";
        case PathKind::TcpReflexive:
            return "reflexive over TCP";
        case PathKind::TcpHost:
            return "host over TCP";
        case PathKind::Reflexive:
            return "reflexive";
        case PathKind::Host:
            return "host";
    }
    return "";
}

std::string_view to_string(Passage passage) {
    switch (passage) {
        case Passage::Translated:
            return "IPv6 to IPv4";
        case Passage::V4:
            return "IPv4";
        case Passage::V6:
            return "IPv6";
    }
    return "";
}

BestPath best_udp_path(const Topology& topology, HostId left, HostId right, HostId server) {
    return best_path(topology, left, right, server, Transports::UdpOnly);
}

BestPath best_path(const Topology& topology, HostId left, HostId right, HostId server,
                   Transports transports) {
    Rules rules{topology};
    // Sockets first, so that a packet to one that has not sent yet finds it.
    for (const HostId host : {left, right, server}) {
        for (const Interface& one : topology.host(host).interfaces) rules.socket(host, one.address);
    }
    Side one = gather(rules, topology, left, server);
    Side two = gather(rules, topology, right, server);
    learn_candidates(one, two);
    learn_candidates(two, one);
    for (unsigned generation = 0; generation < most_generations; ++generation) {
        const std::size_t before = rules.learned() + one.pairs.size() + two.pairs.size();
        send_all(rules, one, two);
        send_all(rules, two, one);
        if (rules.learned() + one.pairs.size() + two.pairs.size() == before) break;
    }
    const BestPath direct = std::max(best_direct(rules, one, two), best_direct(rules, two, one));
    if (direct.kind != PathKind::None) return direct;
    if (transports == Transports::UdpAndTcp) {
        Rules tcp{topology, Protocol::Tcp};
        const TcpServer services = tcp_server(tcp, topology, server);
        for (Side* const side : {&one, &two}) {
            if (!side->relays.empty()) continue;
            if (!reaches_by_stream(tcp, topology, side->host, services)) continue;
            side->relays = relays_of(rules, topology, side->host, server);
        }
        const BestPath over_tcp = direct_over_tcp(tcp, topology, left, right, services);
        if (over_tcp.kind != PathKind::None) return over_tcp;
    }
    if (reaches_relay(rules, one, two, server) || reaches_relay(rules, two, one, server)) {
        return {PathKind::RelayedByOne, {}};
    }
    const bool meet = std::ranges::any_of(one.relays, [&](const Address& relay) {
        return std::ranges::find(two.relays, relay.ip.family(), [](const Address& other) {
                   return other.ip.family();
               }) != two.relays.end();
    });
    return {meet ? PathKind::RelayedByBoth : PathKind::None, {}};
}

BestPath best_path_to_tcp_peer(const Topology& topology, HostId side, HostId peer, TcpPeer does,
                               HostId server) {
    Rules rules{topology, Protocol::Tcp};
    const TcpServer services = tcp_server(rules, topology, server);
    TcpSide ours = gather_tcp(rules, topology, side, services);
    TcpSide theirs{.host = peer, .prefix = prefix_of(topology, peer)};
    for (const Interface& one : topology.host(peer).interfaces) {
        theirs.passive.push_back(rules.another_socket(peer, one.address));
    }
    if (does == TcpPeer::Listens) pair_tcp(rules, topology, ours, theirs);
    // Of simultaneous open it has none.
    TcpSide passive_alone = ours;
    passive_alone.open.clear();
    if (does == TcpPeer::Opens) pair_tcp(rules, topology, theirs, passive_alone);
    open_all(rules, ours, theirs);
    const BestPath direct = std::max(best_tcp(rules, ours, theirs), best_tcp(rules, theirs, ours));
    if (direct.kind != PathKind::None) return direct;
    if (!reaches_by_stream(rules, topology, side, services)) return {};
    TcpSide relay{.host = server};
    relay.passive.push_back(
        rules.another_socket(server, topology.host(server).interfaces.front().address));
    const Address relayed = relay.passive.front();
    if (does == TcpPeer::Opens) pair_tcp(rules, topology, theirs, relay);
    // From the relayed address itself. RFC 6062 Section 5.2.
    if (does == TcpPeer::Listens) {
        for (const Address& remote : theirs.passive) {
            if (remote.ip.family() == relayed.ip.family()) relay.pairs.insert({relayed, remote});
        }
    }
    open_all(rules, relay, theirs);
    const BestPath by_relay =
        std::max(best_tcp(rules, relay, theirs), best_tcp(rules, theirs, relay));
    // It lets in the addresses that it was told, which a NAT's is not.
    const bool is_told = by_relay.kind == PathKind::TcpHost || does == TcpPeer::Listens;
    const bool works = by_relay.kind != PathKind::None && is_told;
    return {works ? PathKind::RelayedByOne : PathKind::None, {}};
}

DirectPath direct_udp_path(const Topology& topology, HostId left, HostId right,
                           HostId stun_server) {
    const PathKind kind = best_udp_path(topology, left, right, stun_server).kind;
    switch (kind) {
        case PathKind::Host:
        case PathKind::Reflexive:
            return DirectPath::Possible;
        case PathKind::TcpHost:
        case PathKind::TcpReflexive:
        case PathKind::RelayedByOne:
        case PathKind::RelayedByBoth:
        case PathKind::None:
            return DirectPath::Impossible;
    }
    return DirectPath::Impossible;
}

}  // namespace stile::sim
