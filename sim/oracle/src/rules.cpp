// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "rules.hpp"

#include <algorithm>

namespace stile::sim {
namespace {

constexpr unsigned most_hops = 32;

}  // namespace

Address Rules::socket(HostId host, const IpAddress& ip) {
    const auto known = sockets_.find({host, ip});
    if (known != sockets_.end()) return {ip, known->second};
    const Address address = another_socket(host, ip);
    sockets_[{host, ip}] = address.port;
    return address;
}

Address Rules::stun_socket(HostId host, const IpAddress& ip) {
    const Address address = socket(host, ip);
    stun_ports_.insert(address.port);
    return address;
}

Address Rules::https_socket(HostId host, const IpAddress& ip) {
    const Address address = another_socket(host, ip);
    https_ports_.insert(address.port);
    return address;
}

Address Rules::another_socket(HostId host, const IpAddress& ip) {
    const Address address{ip, ++last_token_};
    open_.insert({host, address});
    return address;
}

Rules::Remote Rules::seen_by(Mapping mapping, const Address& remote) {
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
Address Rules::map_out(BoxId box, const Box& nat, const Packet& packet) {
    const Remote remote = seen_by(behavior_of(nat).mapping, packet.destination);
    const auto [mapping, is_new] =
        mappings_.try_emplace({box, packet.source, remote}, last_token_ + 1);
    if (is_new) ++last_token_;
    const PortToken token = mapping->second;
    owners_.try_emplace({box, token}, packet.source);
    permissions_.insert({box, token, packet.destination});
    return {nat.external, token};
}

std::optional<Address> Rules::map_in(BoxId box, const Box& nat, const Address& outside,
                                     const Address& remote) const {
    const auto owner = owners_.find({box, outside.port});
    if (owner == owners_.end()) return std::nullopt;
    if (!admitted(box, outside.port, behavior_of(nat).filtering, remote)) return std::nullopt;
    return owner->second;
}

// RFC 4787 Section 5: whether the owner of the port has sent to what the filter asks for.
bool Rules::admitted(BoxId box, PortToken port, Filtering filtering, const Address& remote) const {
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

bool Rules::passes(const Box& box, PortToken outside) const {
    if (protocol_ == Protocol::Tcp) {
        switch (box.tcp) {
            case Tcp::Allowed:
                return true;
            case Tcp::HttpsOnly:
                return https_ports_.contains(outside);
            case Tcp::Blocked:
                return false;
        }
        return false;
    }
    switch (box.udp) {
        case Udp::Allowed:
            return true;
        case Udp::StunOnly:
            return stun_ports_.contains(outside);
        case Udp::Blocked:
            return false;
    }
    return false;
}

bool Rules::go_down(BoxId id, Packet& packet) const {
    const Box& box = topology_.box(id);
    if (!passes(box, packet.source.port)) return false;
    if (box.translates(packet.destination.ip.family())) {
        const auto inside = map_in(id, box, packet.destination, packet.source);
        if (!inside) return false;
        packet.destination = *inside;
        if (box.nat64) packet.source.ip = box.nat64->prefix.embed(packet.source.ip);
        return true;
    }
    return !box.firewall || admitted(id, packet.destination.port, *box.firewall, packet.source);
}

Rules::Way Rules::go_up(BoxId id, Packet& packet) {
    const Box& box = topology_.box(id);
    if (!passes(box, packet.destination.port)) return Way::Nowhere;
    if (const auto beyond = box.beyond_nat64(packet.destination.ip)) {
        packet.destination.ip = *beyond;
        return translate_up(id, packet);
    }
    if (box.translates(packet.destination.ip.family())) {
        return box.nat64 ? Way::Nowhere : translate_up(id, packet);
    }
    if (box.firewall) permissions_.insert({id, packet.source.port, packet.destination});
    return Way::Outside;
}

Rules::Way Rules::translate_up(BoxId id, Packet& packet) {
    const Box& box = topology_.box(id);
    if (packet.destination.ip != box.external) {
        packet.source = map_out(id, box, packet);
        return Way::Outside;
    }
    // RFC 4787 Section 6, RFC 6146 Section 3.8.
    const Hairpin kind = behavior_of(box).hairpin;
    if (kind == Hairpin::None) return Way::Nowhere;
    const Address outside = map_out(id, box, packet);
    const auto inside = map_in(id, box, packet.destination, outside);
    if (!inside) return Way::Nowhere;
    if (kind == Hairpin::ExternalSource) {
        packet.source = outside;
        if (box.nat64) packet.source.ip = box.nat64->prefix.embed(outside.ip);
    }
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
            if (!open_.contains({*reached, packet.destination})) return std::nullopt;
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

}  // namespace stile::sim
