// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local_port.hpp"

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/gateways.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/portmap/client.hpp>

#include <functional>
#include <map>
#include <memory>

namespace stile::drivers {

// One of our addresses at one gateway: the socket that talks to it, and who decides what is said.
class GatewayLane {
public:
    struct Handlers {
        std::function<void(GatewayLane&, const LocalPort&, const portmap::Client::Mapped&)>
            on_mapped;
        std::function<void(GatewayLane&, const LocalPort&)> on_lost;
        std::function<void(GatewayLane&, const LocalPort&)> on_refused;
        std::function<void()> on_idle;  // after each wake-up that leaves nothing mapped
    };

    // Empty where the system has no such socket.
    static std::unique_ptr<GatewayLane> open(Loop& loop, const Gateway& gateway,
                                             const IpAddress& local, const Handlers& handlers);

    // Requires: ports of local().
    void map(const LocalPort& port);
    void unmap(const LocalPort& port);
    // A datagram to the port for announcements.
    void handle_announcement(const IpAddress& source, unsigned interface_index, BytesView datagram);

    const Gateway& gateway() const { return gateway_; }
    const IpAddress& local() const { return local_; }
    bool idle() const { return client_.idle(); }

private:
    GatewayLane(Loop& loop, const Gateway& gateway, const IpAddress& local, FileDescriptor fd,
                Handlers handlers);
    void receive();
    void pump();
    void handle(const portmap::Client::Event& event);
    std::optional<LocalPort> port_of(portmap::MappingId id) const;

    Loop& loop_;
    Gateway gateway_;
    IpAddress local_;
    FileDescriptor fd_;
    Handlers handlers_;
    portmap::Client client_;
    std::map<LocalPort, portmap::MappingId> mappings_;
    Timer timer_;
    Watch watch_;
    bool pumping_ = false;
};

}  // namespace stile::drivers
