// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "addresses.hpp"

#include <stile/drivers/interfaces.hpp>

#include <unistd.h>
#include <algorithm>
#include <array>

namespace stile::stiled {
namespace {

int rank(const IpAddress& address) {
    if (address.is_loopback()) return 2;
    return address.is_private() ? 1 : 0;
}

}  // namespace

std::vector<IpAddress> machine_addresses() {
    std::vector<IpAddress> addresses;
    const auto local = drivers::local_addresses();
    if (local) {
        for (const drivers::LocalAddress& address : *local) {
            if (!address.link_local && !address.deprecated) addresses.push_back(address.ip);
        }
    }
    if (addresses.empty()) addresses.push_back(IpAddress::v4({127, 0, 0, 1}));
    // IPv4 before IPv6 of the same rank: a relay of the wrong family helps nobody yet.
    std::ranges::stable_sort(addresses, {}, [](const IpAddress& address) {
        return std::pair{rank(address), address.family()};
    });
    return addresses;
}

SocketAddress reachable_address(const std::vector<SocketAddress>& listen, const Config& config) {
    const std::vector<IpAddress> candidates =
        config.public_address.empty() ? machine_addresses() : config.public_address;
    for (const SocketAddress& address : listen) {
        if (!address.ip.is_unspecified()) return address;
        const auto own = std::ranges::find(candidates, address.ip.family(), &IpAddress::family);
        if (own != candidates.end()) return {*own, address.port};
    }
    return listen.empty() ? SocketAddress{} : listen.front();
}

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    return name.data();
}

}  // namespace stile::stiled
