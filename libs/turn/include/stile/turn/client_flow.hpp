// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

namespace stile::turn {

// Between client and server. The relay's other side is UDP whatever this is.
enum class ClientTransport : std::uint8_t { Udp, Dtls, Tcp, Tls };

constexpr bool is_stream(ClientTransport transport) {
    switch (transport) {
        case ClientTransport::Udp:
        case ClientTransport::Dtls:
            return false;
        case ClientTransport::Tcp:
        case ClientTransport::Tls:
            return true;
    }
    return false;
}

// The 5-tuple as the server sees it. RFC 8656 Section 2.
struct ClientFlow {
    SocketAddress local;   // the server's own
    SocketAddress remote;  // the client's, or its NAT's
    ClientTransport transport = ClientTransport::Udp;
    friend constexpr auto operator<=>(const ClientFlow&, const ClientFlow&) = default;
};

}  // namespace stile::turn
