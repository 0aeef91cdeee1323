// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/portmap/mapping.hpp>

#include <compare>

namespace stile::drivers {

// What is to be reachable: a socket, and by which protocol.
struct LocalPort {
    SocketAddress socket;
    portmap::Protocol protocol = portmap::Protocol::Udp;
    friend auto operator<=>(const LocalPort&, const LocalPort&) = default;
};

}  // namespace stile::drivers
