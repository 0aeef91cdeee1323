// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/mdns/host_name.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace stile::drivers {

// Names of hosts on the links that this host is on, by multicast DNS: looks for those of others,
// and answers for its own. The port is shared with other programs. Sockets are open from the first
// name on, and links are those that there are then, or at handle_network_changed().
class MulticastDns {
public:
    // Empty: nobody has answered in some seconds, or not to be had here.
    using OnResolved = std::move_only_function<void(std::optional<IpAddress>)>;

    explicit MulticastDns(Loop& loop);
    MulticastDns(const MulticastDns&) = delete;
    MulticastDns& operator=(const MulticastDns&) = delete;
    // Says goodbye for the names that were told. What was asked for is not answered.
    ~MulticastDns();

    // Called back from the loop, never from within.
    void resolve(const mdns::HostName& name, OnResolved done);
    // A name for one of this host's addresses, the same each time; empty where the address is on no
    // interface, or multicast DNS is not to be had.
    std::optional<mdns::HostName> name_of(const IpAddress& local);
    // Names of addresses that are gone are withdrawn.
    void handle_network_changed();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
