// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>

namespace stile::connect {

// What a STUN server has said of a socket.
struct ReflexiveAddress {
    Path path;  // the socket and the server
    SocketAddress mapped;
    Instant fresh_until;  // until then the NAT has most likely kept it
    friend bool operator==(const ReflexiveAddress&, const ReflexiveAddress&) = default;
};

}  // namespace stile::connect
