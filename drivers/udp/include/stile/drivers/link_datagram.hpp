// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/socket_address.hpp>

#include <optional>

namespace stile::drivers {

// What the kernel says of how a datagram came in.
struct PacketInfo {
    IpAddress destination;
    unsigned interface_index = 0;
};

// A datagram of which it matters on which link it came: to a group, or of a gateway.
struct LinkDatagram {
    SocketAddress from;
    std::optional<PacketInfo> info;  // empty where the socket does not ask for it
    BytesView payload;               // in the buffer that was handed in, cut to it
};

// The next that waits at a socket with IP_PKTINFO or IPV6_RECVPKTINFO; empty when none does. Does
// not block, whatever the socket would.
std::optional<LinkDatagram> receive_link_datagram(int fd, MutableBytes buffer);

}  // namespace stile::drivers
