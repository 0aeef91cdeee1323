// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn/relay.hpp>

namespace stile::turn {

// A TCP connection between a relay and a peer, wanted or open. It is also the value of the
// CONNECTION-ID attribute. RFC 6062 Section 6.2.1. Not reused while anything still knows it.
struct ConnectionId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(ConnectionId, ConnectionId) = default;
};

// The driver connects from the relay's address to the peer and answers with
// handle_connection_opened or handle_connection_failed. What the peer sends waits in the driver,
// for which the system's receive buffer is enough. RFC 6062 Section 5.2.
struct ConnectionWanted {
    ConnectionId connection;
    RelayId relay;
    SocketAddress peer;
};

// ConnectionBind succeeded, and its answer is queued for the data flow: from the first octet after
// the request on, the driver carries octets between the two connections as they are, both ways.
// Nothing of it enters the server. RFC 6062 Section 5.4.
struct ConnectionJoined {
    ConnectionId connection;
    ClientFlow data_flow;
};

// The driver closes the connection to the peer, and the data flow where one was joined. Comes once
// for every connection that was wanted or accepted and has not failed or gone.
struct ConnectionClosed {
    ConnectionId connection;
};

enum class ConnectionFailure : std::uint8_t {
    PeerUnreachable,  // refused, timed out, no route
    NoSocket,         // the system has none, or the port is in the way
};

}  // namespace stile::turn
