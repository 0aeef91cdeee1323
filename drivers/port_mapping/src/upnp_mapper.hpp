// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local_port.hpp"

#include <stile/drivers/loop.hpp>

#include <functional>
#include <memory>
#include <set>

namespace stile::drivers {

// Ports of one of our addresses, kept open by UPnP IGD: mapped for IPv4, let through the firewall
// for IPv6. Its library blocks, sometimes for long: it runs on a thread, which nobody waits for. A
// router that hangs costs this thread and nothing else.
class UpnpMapper {
public:
    struct Mapped {
        LocalPort port;
        SocketAddress external;
    };
    // On the loop.
    struct Handlers {
        std::function<void(const Mapped&)> on_mapped;  // again when the router's address changes
        std::function<void(const LocalPort&)> on_lost;
        std::function<void()> on_idle;
    };
    // Where the router is looked for.
    struct Place {
        IpAddress local;
        unsigned interface_index = 0;
    };

    UpnpMapper(Loop& loop, const Place& place, Handlers handlers);
    UpnpMapper(const UpnpMapper&) = delete;
    UpnpMapper& operator=(const UpnpMapper&) = delete;
    // The thread ends when the call that it is in returns.
    ~UpnpMapper();

    // Requires: the place's address.
    void map(const LocalPort& port);
    // What no router was asked for yet is not waited for.
    void unmap(const LocalPort& port);
    // Addresses or routes have changed: the router is looked for again when there is something to
    // do.
    void forget_router();
    // Nothing is wanted, and no removal waits for its answer.
    bool idle() const { return wanted_.empty() && removing_.empty(); }

private:
    struct Shared;
    struct Thread;
    void handle_mapped(const Mapped& mapped);
    void handle_lost(const LocalPort& port);
    void handle_removed(const LocalPort& port);

    Handlers handlers_;
    std::set<LocalPort> wanted_;
    std::set<LocalPort> removing_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace stile::drivers
