// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attributes/turn.hpp>
#include <stile/stun/transaction_id.hpp>
#include <stile/turn/connection.hpp>
#include <stile/turn/session.hpp>

#include <optional>

namespace stile::turn {

// What a client that may move is known by. RFC 8016.
struct Mobility {
    std::uint64_t id = 0;      // what its tickets name
    std::uint32_t serial = 0;  // of the ticket that is valid
    // The new 5-tuple, until data comes from there; the old one is Allocation::flow.
    std::optional<ClientFlow> moving_to;
    // Left: the connection is closed, and Allocation::flow may be another's by now.
    enum class Old : std::uint8_t { There, Left };
    Old old = Old::There;
    stun::TransactionId moved_by;  // the last request that moved it, for its retransmissions
    Instant moved_at;
    Bytes answer;
    friend bool operator==(const Mobility&, const Mobility&) = default;
};

// Whose integrity key came in an access token. RFC 7635.
struct TokenSession {
    Bytes mac_key;
    WallTime expires;
    friend bool operator==(const TokenSession&, const TokenSession&) = default;
};

// All that a server has to remember, for another process that continues with the same sockets.
// Instants are of a clock that both processes share. Requests that wait for a socket are not in it:
// their clients ask again.
struct Snapshot {
    struct Relay {
        RelayId id;  // stays valid
        SocketAddress address;
        Instant expires;
        friend bool operator==(const Relay&, const Relay&) = default;
    };
    // RFC 6062; those whose ConnectionBind is awaited or done.
    struct Connection {
        ConnectionId id;
        RelayId relay;
        SocketAddress peer;
        std::optional<ClientFlow> data_flow;  // present once joined
        Instant expires;                      // until then
        friend bool operator==(const Connection&, const Connection&) = default;
    };
    struct Allocation {
        ClientFlow flow;
        std::string username;
        std::string owner;
        stun::TransactionId created_by;
        Bytes answer;  // to the Allocate request, until it is known to have arrived
        RelayProtocol protocol = RelayProtocol::Udp;
        Instant started;
        Traffic traffic;
        std::vector<Relay> relays;
        std::vector<Session::Permission> permissions;
        std::vector<Session::Channel> channels;
        std::vector<Connection> connections;
        std::optional<Mobility> mobility;
        std::optional<TokenSession> token;
        friend bool operator==(const Allocation&, const Allocation&) = default;
    };
    // RFC 8656 Section 7.2.
    struct Reservation {
        RelayId id;
        SocketAddress address;
        Instant expires;
        std::string owner;
        stun::ReservationToken token;
        friend bool operator==(const Reservation&, const Reservation&) = default;
    };

    std::vector<Allocation> allocations;
    std::vector<Reservation> reservations;
    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

// For a pipe between two processes of one host and one release: the format is nobody else's.
Bytes serialize(const Snapshot& snapshot);
// Absent where it is cut short, or of another release.
[[nodiscard]] std::optional<Snapshot> parse_snapshot(BytesView octets);

}  // namespace stile::turn
