// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/ice/candidate.hpp>

namespace stile::connect {

// A router forwards what comes to `external` to one of the connector's sockets, or, over TCP, to
// one of its listeners (PCP, NAT-PMP, UPnP). A firewall that was opened and translates nothing
// lets `external`, which is `host` then, be reached by everybody.
struct MappedPort {
    SocketAddress host;
    SocketAddress external;
    IpAddress gateway;  // who said so
    ice::Transport transport = ice::Transport::Udp;
    friend bool operator==(const MappedPort&, const MappedPort&) = default;
};

}  // namespace stile::connect
