// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "relay_ports.hpp"

#include <algorithm>

namespace stile::relay {
namespace {

// Random ports of a range that is mostly free: a few tries find one. In a range that is nearly full
// about one in a hundred ports is still found; a full one is noticed.
constexpr int most_port_tries = 256;

}  // namespace

RelayPorts::RelayPorts(std::vector<RelayAddress> addresses, PortRange range,
                       crypto::RandomStream random)
    : addresses_(std::move(addresses)), range_(range), random_(std::move(random)) {}

void RelayPorts::change(std::vector<RelayAddress> addresses, PortRange range) {
    addresses_ = std::move(addresses);
    range_ = range;
}

std::optional<SocketAddress> RelayPorts::open(const turn::RelayWanted& wanted,
                                              const IsTaken& is_taken, const Bind& bind,
                                              const Unbind& unbind) {
    std::vector<IpAddress> choices;
    for (const RelayAddress& address : addresses_) {
        if (address.local.family() == wanted.family) choices.push_back(address.local);
    }
    if (choices.empty()) return std::nullopt;
    const std::uint32_t count = std::uint32_t{range_.last} - range_.first + 1U;
    for (int i = 0; i < most_port_tries; ++i) {
        const IpAddress& ip = choices[static_cast<std::size_t>(random_.below(choices.size()))];
        std::uint32_t port = range_.first + static_cast<std::uint32_t>(random_.below(count));
        if (wanted.rule != turn::PortRule::Any) port &= ~1U;
        if (port < range_.first || port + (wanted.next ? 1U : 0U) > range_.last) continue;
        const SocketAddress at{ip, Port{static_cast<std::uint16_t>(port)}};
        if (is_taken(at) || !bind(wanted.relay, at)) continue;
        if (!wanted.next) return at;
        if (bind(*wanted.next, {ip, Port{static_cast<std::uint16_t>(port + 1)}})) return at;
        unbind(wanted.relay);
    }
    return std::nullopt;
}

SocketAddress RelayPorts::external(SocketAddress local) const {
    const auto found = std::ranges::find(addresses_, local.ip, &RelayAddress::local);
    if (found != addresses_.end() && found->external) local.ip = *found->external;
    return local;
}

}  // namespace stile::relay
