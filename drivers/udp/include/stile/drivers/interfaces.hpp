// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/os_error.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stile::drivers {

// What an interface most likely is, by its name and by what the kernel says of it.
enum class InterfaceKind : std::uint8_t {
    Loopback,
    Ethernet,  // wired, or not known to be anything else
    Wireless,
    Cellular,   // wwan, rmnet
    Tunnel,     // VPNs: tun, tap, wg, tailscale, ppp
    Container,  // bridges and virtual pairs of docker, podman, libvirt, cni
};

struct LocalAddress {
    IpAddress ip;
    std::string interface_name;
    unsigned interface_index = 0;
    InterfaceKind kind = InterfaceKind::Ethernet;
    bool link_local = false;
    bool temporary = false;   // a privacy address, RFC 8981
    bool deprecated = false;  // still valid, not for new sessions
};

// The addresses of all interfaces that are up and have a carrier, without those that are not usable
// yet.
std::expected<std::vector<LocalAddress>, OsError> local_addresses();

InterfaceKind interface_kind(std::string_view name);

// Calls back when addresses, links or routes changed, once a burst of changes.
class NetworkMonitor {
public:
    static std::expected<std::unique_ptr<NetworkMonitor>, OsError> open(Loop& loop,
                                                                        Task on_changed);
    NetworkMonitor(const NetworkMonitor&) = delete;
    NetworkMonitor& operator=(const NetworkMonitor&) = delete;
    ~NetworkMonitor();

private:
    struct Impl;
    explicit NetworkMonitor(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace stile::drivers
