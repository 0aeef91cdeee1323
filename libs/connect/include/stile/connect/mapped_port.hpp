// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

namespace stile::connect {

// A router forwards what comes to `external` to one of the connector's sockets (PCP, NAT-PMP,
// UPnP).
struct MappedPort {
    SocketAddress host;
    SocketAddress external;
    IpAddress gateway;  // who said so
    friend bool operator==(const MappedPort&, const MappedPort&) = default;
};

}  // namespace stile::connect
