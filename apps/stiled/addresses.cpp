// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "addresses.hpp"

#include <stile/relay/prepare.hpp>

#include <unistd.h>
#include <algorithm>
#include <array>

namespace stile::stiled {
SocketAddress reachable_address(const std::vector<SocketAddress>& listen, const Config& config) {
    const std::vector<IpAddress> candidates =
        config.public_address.empty() ? relay::machine_addresses() : config.public_address;
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
