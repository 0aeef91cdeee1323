// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/turn/allocation_table.hpp>
#include <stile/turn/limits.hpp>

#include <map>
#include <memory>

namespace stile::turn {

// What a Connect request waits with while the driver connects.
struct PendingConnect {
    Bytes request;
    ClientFlow flow;
    stun::IntegrityKey key;
    stun::IntegrityKind reply_kind;
};

// A peer data connection. RFC 6062 Section 5.
struct Connection {
    enum class State : std::uint8_t {
        Opening,  // ConnectionWanted is out
        Waiting,  // for the client's ConnectionBind
        Joined,
    };

    ConnectionId id;
    State state = State::Opening;
    AllocationIndex allocation = 0;
    RelayId relay;
    SocketAddress peer;
    std::optional<Instant> deadline;          // of Opening and Waiting; set_deadline changes it
    std::unique_ptr<PendingConnect> pending;  // exactly while Opening
    std::optional<ClientFlow> data_flow;      // exactly while Joined
};

// The TCP connections of all allocations, by their number. References stay valid until the entry is
// removed.
class ConnectionTable {
public:
    // The numbers begin with the shard's octet.
    ConnectionTable(std::uint8_t shard, std::uint32_t first);

    bool is_full() const { return connections_.size() >= most_connections_in_all; }
    // With a number of its own, also in the allocation's list. Requires: not full.
    Connection& add(Allocation& allocation);
    // As it was in another process. Absent where the number is taken.
    Connection* restore(Allocation& allocation, ConnectionId id);
    Connection* find(ConnectionId id);
    const Connection* find(ConnectionId id) const;
    // Of the allocation, in any state.
    Connection* find(const Allocation& allocation, const SocketAddress& peer);
    void remove(Allocation& allocation, Connection& connection);

    void set_deadline(Connection& connection, std::optional<Instant> deadline);
    std::optional<Instant> next_deadline() const { return deadlines_.next(); }
    Connection* first_expired(Instant now);

    std::size_t size() const { return connections_.size(); }

private:
    std::map<ConnectionId, Connection> connections_;
    DeadlineQueue<ConnectionId> deadlines_;
    std::uint32_t shard_bits_;
    std::uint32_t next_;
};

}  // namespace stile::turn
