// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/loop.hpp>

#include <functional>
#include <memory>
#include <set>

namespace stile::drivers {

// UDP ports of IPv4 sockets, kept open by UPnP IGD. Its library blocks, sometimes for long: it runs
// on a thread, which nobody waits for. A router that hangs costs this thread and nothing else.
class UpnpMapper {
public:
    struct Mapped {
        SocketAddress socket;
        SocketAddress external;
    };
    // On the loop.
    struct Handlers {
        std::function<void(const Mapped&)> on_mapped;  // again when the router's address changes
        std::function<void(const SocketAddress&)> on_lost;
        std::function<void()> on_idle;
    };

    UpnpMapper(Loop& loop, Handlers handlers);
    UpnpMapper(const UpnpMapper&) = delete;
    UpnpMapper& operator=(const UpnpMapper&) = delete;
    // The thread ends when the call that it is in returns.
    ~UpnpMapper();

    void map(const SocketAddress& socket);
    // What no router was asked for yet is not waited for.
    void unmap(const SocketAddress& socket);
    // Addresses or routes have changed: routers are looked for again when there is something to do.
    void forget_routers();
    // Nothing is wanted, and no removal waits for its answer.
    bool idle() const { return wanted_.empty() && removing_.empty(); }

private:
    struct Shared;
    struct Thread;
    void handle_mapped(const Mapped& mapped);
    void handle_lost(const SocketAddress& socket);
    void handle_removed(const SocketAddress& socket);

    Handlers handlers_;
    std::set<SocketAddress> wanted_;
    std::set<SocketAddress> removing_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace stile::drivers
