// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <cstdint>
#include <optional>

namespace stile::ice {

// Names a TCP connection, or one attempt to open it, for as long as its agent lives.
struct ConnectionId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(ConnectionId, ConnectionId) = default;
};

// Why a connection could not be opened.
enum class ConnectFailure : std::uint8_t {
    Refused,      // answered with a reset
    TimedOut,     // the system gave up
    Unreachable,  // a hard ICMP error, or no route
    Local,        // the system would not try: address in use, no permission, no descriptor
};

// The way a message takes: a datagram between two addresses, or a frame on a connection, the path
// of which is its 4-tuple.
struct Flow {
    Path path;
    std::optional<ConnectionId> connection;  // empty for UDP
    friend bool operator==(const Flow&, const Flow&) = default;
};

// What an agent wants sent. With a connection, the payload goes as one RFC 4571 frame on it.
struct AgentTransmit : Transmit {
    std::optional<ConnectionId> connection;
};

}  // namespace stile::ice
