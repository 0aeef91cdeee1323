// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/checklist.hpp>
#include <stile/ice/connection.hpp>
#include <stile/ice/events.hpp>

#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace stile::ice {

// One TCP connection of an agent, from the wish for it to the wish that it be closed.
struct Connection {
    enum class Phase : std::uint8_t {
        Wanted,      // poll() will ask for it
        Opening,     // it was asked for
        RetryLater,  // refused, and to be asked for again at `deadline`; `id` is of the last
                     // attempt
        Open,
        Released,  // poll() will say so
    };
    enum class Origin : std::uint8_t { Opened, Accepted };

    ConnectionId id;
    Phase phase = Phase::Wanted;
    Origin origin = Origin::Opened;
    TcpType type = TcpType::Active;  // of the local candidate
    ComponentId component;
    Path path;                   // planned, or once open the 4-tuple
    std::optional<PairId> pair;  // whose checks it carries
    bool proven = false;         // a message on it had our or the peer's credentials
    bool carried_data = false;   // it was a selected pair's
    std::uint32_t refusals = 0;
    // Until when it has to be open; when to ask again; until when it has to be proven; or, of one
    // that is needed no longer, when it is released.
    std::optional<Instant> deadline;
    Instant give_up;  // of an attempt, with all its retries

    bool is_attempt() const {
        return phase == Phase::Wanted || phase == Phase::Opening || phase == Phase::RetryLater;
    }
};

// The connections of one agent. A reference or span is good until the next non-const call.
class ConnectionTable {
public:
    enum class Room : std::uint8_t { Free, Full };
    // Whether one more may be opened to the address; RFC 6544 Section 12.
    Room room_for(const IpAddress& remote) const;
    // Whether one more may be accepted.
    Room room_to_accept() const;

    // Requires: room.
    Connection& open(Connection connection);
    Connection& accept(Connection connection);

    Connection* find(ConnectionId id);
    const Connection* find(ConnectionId id) const;
    // What carries the pair's checks, or will.
    Connection* of_pair(PairId pair);
    const Connection* of_pair(PairId pair) const;
    // An open one between these two addresses, or an attempt at one.
    Connection* find(const Path& path);

    // Refused: to be asked for again at `when`.
    void retry_at(Connection& connection, Instant when);
    // It is time: with a new id.
    void retry(Connection& connection);
    // Whatever it was, it is closed, or to be closed.
    void release(Connection& connection);
    // The caller has closed it already, or never opened it.
    void forget(ConnectionId id);

    using Wish = std::variant<ConnectionWanted, ConnectionReleased>;
    std::optional<Wish> poll();

    std::span<Connection> all() { return connections_; }
    std::span<const Connection> all() const { return connections_; }
    bool empty() const { return connections_.empty(); }
    std::optional<Instant> next_deadline() const;

private:
    ConnectionId new_id() { return {++last_id_}; }

    std::vector<Connection> connections_;
    std::uint32_t last_id_ = 0;
};

}  // namespace stile::ice
