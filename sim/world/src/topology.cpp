// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sim/topology.hpp>

#include <algorithm>

namespace stile::sim {

TranslationPrefix::TranslationPrefix(IpAddress prefix) : prefix_(prefix) {
    STILE_ASSERT(prefix.is_v6());
    const BytesView tail = prefix.octets().subspan(12);
    STILE_ASSERT(std::ranges::all_of(tail, [](std::byte octet) { return octet == std::byte{0}; }));
}

TranslationPrefix TranslationPrefix::well_known() {
    return TranslationPrefix{
        IpAddress::v6({std::byte{0x00}, std::byte{0x64}, std::byte{0xFF}, std::byte{0x9B}})};
}

IpAddress TranslationPrefix::embed(const IpAddress& v4) const {
    STILE_ASSERT(v4.is_v4());
    std::array<std::byte, 16> octets{};
    std::ranges::copy(prefix_.octets(), octets.begin());
    std::ranges::copy(v4.octets(), octets.begin() + 12);
    return IpAddress::v6(octets);
}

std::optional<IpAddress> TranslationPrefix::extract(const IpAddress& v6) const {
    if (!v6.is_v6() || !std::ranges::equal(v6.octets().first(12), prefix_.octets().first(12))) {
        return std::nullopt;
    }
    return IpAddress::from_octets(v6.octets().subspan(12));
}

HostId Topology::add_host(std::string name, NetworkId network, IpAddress address, Link link) {
    const HostId id{static_cast<std::uint32_t>(hosts_.size())};
    hosts_.push_back({.name = std::move(name), .interfaces = {}});
    add_interface(id, network, address, link);
    return id;
}

void Topology::add_interface(HostId host, NetworkId network, IpAddress address, Link link) {
    STILE_ASSERT(network.value < gateways_.size());
    STILE_ASSERT(std::holds_alternative<std::monostate>(next_hop(network, address)));
    hosts_.at(host.value).interfaces.push_back({network, address, link});
}

void Topology::remove_interface(HostId host, IpAddress address) {
    std::erase_if(hosts_.at(host.value).interfaces,
                  [&](const Interface& one) { return one.address == address; });
}

BoxId Topology::add_box(Box box) {
    STILE_ASSERT(box.outside.value < gateways_.size());
    STILE_ASSERT(!box.nat || !box.nat64);
    const BoxId id{static_cast<std::uint32_t>(boxes_.size())};
    box.inside = NetworkId{static_cast<std::uint32_t>(gateways_.size())};
    gateways_.emplace_back(id);
    boxes_.push_back(std::move(box));
    return id;
}

NetworkId Topology::add_nat(NetworkId outside, IpAddress external, NatBehavior behavior,
                            Link uplink) {
    STILE_ASSERT(external.is_v4());
    return box(add_box({.name = "nat " + external.to_string(),
                        .outside = outside,
                        .nat = behavior,
                        .external = external,
                        .uplink = uplink}))
        .inside;
}

NetworkId Topology::add_nat64(NetworkId outside, IpAddress external, const Nat64& nat64,
                              std::optional<Filtering> firewall, Link uplink) {
    STILE_ASSERT(external.is_v4());
    return box(add_box({.name = "nat64 " + external.to_string(),
                        .outside = outside,
                        .nat64 = nat64,
                        .external = external,
                        .firewall = firewall,
                        .uplink = uplink}))
        .inside;
}

NetworkId Topology::add_firewall(NetworkId outside, std::optional<Filtering> filtering, Udp udp,
                                 Link uplink) {
    return box(add_box({.name = "firewall",
                        .outside = outside,
                        .firewall = filtering,
                        .udp = udp,
                        .uplink = uplink}))
        .inside;
}

const Interface* Topology::interface_of(HostId id, const IpAddress& address) const {
    const auto& interfaces = host(id).interfaces;
    const auto found = std::ranges::find(interfaces, address, &Interface::address);
    return found == interfaces.end() ? nullptr : &*found;
}

Interface* Topology::interface_of(HostId id, const IpAddress& address) {
    auto& interfaces = hosts_.at(id.value).interfaces;
    const auto found = std::ranges::find(interfaces, address, &Interface::address);
    return found == interfaces.end() ? nullptr : &*found;
}

Topology::NextHop Topology::next_hop(NetworkId network, const IpAddress& address) const {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        for (const Interface& one : hosts_[i].interfaces) {
            if (one.network == network && one.address == address) {
                return HostId{static_cast<std::uint32_t>(i)};
            }
        }
    }
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
        const Box& box = boxes_[i];
        if (box.outside != network) continue;
        const bool is_for_it =
            box.translates(address.family())
                ? box.external == address
                : !std::holds_alternative<std::monostate>(next_hop(box.inside, address));
        if (is_for_it) return BoxId{static_cast<std::uint32_t>(i)};
    }
    return std::monostate{};
}

std::optional<BoxId> Topology::gateway_of(NetworkId network) const {
    return gateways_.at(network.value);
}

}  // namespace stile::sim
