// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/drivers/interfaces.hpp>

#include <algorithm>

namespace stile::drivers {
namespace {

TEST_CASE("local addresses: loopback is among them and told as such") {
    const auto addresses = local_addresses();
    REQUIRE(addresses.has_value());
    const auto loopback = std::ranges::find_if(
        *addresses, [](const LocalAddress& address) { return address.ip.is_loopback(); });
    REQUIRE(loopback != addresses->end());
    CHECK(loopback->kind == InterfaceKind::Loopback);
    CHECK(loopback->interface_index > 0);
    CHECK_FALSE(loopback->link_local);
}

TEST_CASE("interface kind: known names") {
    const std::vector<std::pair<std::string_view, InterfaceKind>> table{
        {"lo", InterfaceKind::Loopback},       {"eth0", InterfaceKind::Ethernet},
        {"enp3s0", InterfaceKind::Ethernet},   {"wlan0", InterfaceKind::Wireless},
        {"wlp2s0", InterfaceKind::Wireless},   {"wwan0", InterfaceKind::Cellular},
        {"tun0", InterfaceKind::Tunnel},       {"wg0", InterfaceKind::Tunnel},
        {"tailscale0", InterfaceKind::Tunnel}, {"docker0", InterfaceKind::Container},
        {"br-12ab", InterfaceKind::Container}, {"veth1234", InterfaceKind::Container},
        {"virbr0", InterfaceKind::Container},
    };
    for (const auto& [name, kind] : table) {
        CAPTURE(name);
        CHECK(interface_kind(name) == kind);
    }
}

TEST_CASE("network monitor: opens without privileges") {
    Loop loop;
    CHECK(NetworkMonitor::open(loop, [] {}).has_value());
}

}  // namespace
}  // namespace stile::drivers
