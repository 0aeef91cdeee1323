// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/gateways.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/portmap/mapping.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace stile::drivers {

struct PortMappingsOptions {
    enum class Upnp : std::uint8_t { Off, On };
    Upnp upnp = Upnp::On;
    // Instead of those of the default routes, for tests.
    std::optional<std::vector<Gateway>> gateways;
};

enum class MappedBy : std::uint8_t { Pcp, NatPmp, Upnp };

// What comes to `external` reaches the socket. A gateway behind another NAT maps a private address:
// it is told as it is. Of a firewall that was opened (IPv6) `external` is the socket's own address.
struct MappedPort {
    SocketAddress socket;
    SocketAddress external;
    IpAddress gateway;
    MappedBy by = MappedBy::Pcp;
    portmap::Protocol protocol = portmap::Protocol::Udp;
    friend bool operator==(const MappedPort&, const MappedPort&) = default;
};

// Keeps ports of this host open at its routers: by PCP or NAT-PMP at the gateway of every default
// route, and by UPnP IGD where neither answers. For IPv6 a firewall is opened, by PCP or UPnP. Each
// gateway is a matter of its own: one that is silent, hangs or refuses delays no other. UPnP, whose
// library blocks, has a thread for each of our addresses.
class PortMappings {
public:
    // Each may destroy the object.
    struct Handlers {
        std::move_only_function<void(const MappedPort&)> on_mapped;
        // As it was said by on_mapped. What unmap() removes is not lost.
        std::move_only_function<void(const MappedPort&)> on_lost;
    };
    // How long stop() waits for routers at most. Mappings that it could not take back run out
    // within portmap::limits::wanted_lifetime.
    static constexpr Duration stop_patience = std::chrono::seconds{1};
    // UPnP is asked when neither protocol has mapped the port after so long, or both were refused.
    static constexpr Duration upnp_delay = std::chrono::milliseconds{600};

    PortMappings(Loop& loop, PortMappingsOptions options, Handlers handlers);
    PortMappings(const PortMappings&) = delete;
    PortMappings& operator=(const PortMappings&) = delete;
    // Waits for nothing; call stop() first.
    ~PortMappings();

    // A socket of this host, bound to an address of an interface; for TCP one that listens. Other
    // addresses and those without a router are nobody's, which is no error. What is mapped already
    // is not told again: mapped() has it.
    void map(const SocketAddress& socket, portmap::Protocol protocol = portmap::Protocol::Udp);
    void unmap(const SocketAddress& socket, portmap::Protocol protocol = portmap::Protocol::Udp);
    // What is open now, for whoever comes later than the news.
    const std::vector<MappedPort>& mapped() const;
    // Addresses or routes have changed: gateways that are new are asked, those that are gone
    // forgotten.
    void handle_network_changed();
    // Gives all back; `done` comes on the loop when the routers have answered, or after
    // stop_patience. Nothing else is called then.
    void stop(Task done);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
