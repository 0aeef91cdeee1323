// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/mdns/responder.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <set>

namespace stile::drivers {

// The port of multicast DNS in one family: what comes to its group, by link, and what leaves.
class GroupSocket {
public:
    using OnMessage =
        std::function<void(mdns::Link, const SocketAddress& source, BytesView datagram)>;

    // Empty where the system does not allow it.
    static std::unique_ptr<GroupSocket> open(Loop& loop, AddressFamily family,
                                             OnMessage on_message);

    // The links where it listens and asks from now on.
    void join(const std::set<mdns::Link>& links);
    // To the group on this link, or on all, or to one host there. What cannot be sent is lost.
    void send(std::optional<mdns::Link> link, std::optional<SocketAddress> to, BytesView datagram);

private:
    GroupSocket(Loop& loop, AddressFamily family, FileDescriptor fd, OnMessage on_message);
    void receive();
    void send_on(mdns::Link link, const SocketAddress& to, BytesView datagram);

    AddressFamily family_;
    FileDescriptor fd_;
    OnMessage on_message_;
    std::set<mdns::Link> links_;
    Watch watch_;
};

}  // namespace stile::drivers
