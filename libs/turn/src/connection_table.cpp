// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/connection_table.hpp>

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

constexpr unsigned shard_shift = 24;
constexpr std::uint32_t number_mask = (1U << shard_shift) - 1;
static_assert(most_connections_in_all < number_mask / 2);

}  // namespace

ConnectionTable::ConnectionTable(std::uint8_t shard, std::uint32_t first)
    : shard_bits_(std::uint32_t{shard} << shard_shift), next_(first & number_mask) {}

Connection& ConnectionTable::add(Allocation& allocation) {
    STILE_ASSERT(!is_full());
    // One after the other, so that a number comes back late.
    for (;;) {
        const ConnectionId id{shard_bits_ | next_};
        next_ = (next_ + 1) & number_mask;
        if (Connection* added = restore(allocation, id)) return *added;
    }
}

Connection* ConnectionTable::restore(Allocation& allocation, ConnectionId id) {
    const auto [at, added] = connections_.try_emplace(id);
    if (!added) return nullptr;
    at->second.id = id;
    at->second.allocation = allocation.index;
    allocation.connections.push_back(id);
    return &at->second;
}

Connection* ConnectionTable::find(ConnectionId id) {
    const auto known = connections_.find(id);
    return known == connections_.end() ? nullptr : &known->second;
}

const Connection* ConnectionTable::find(ConnectionId id) const {
    const auto known = connections_.find(id);
    return known == connections_.end() ? nullptr : &known->second;
}

Connection* ConnectionTable::find(const Allocation& allocation, const SocketAddress& peer) {
    for (const ConnectionId id : allocation.connections) {
        Connection& connection = connections_.at(id);
        if (connection.peer == peer) return &connection;
    }
    return nullptr;
}

void ConnectionTable::remove(Allocation& allocation, Connection& connection) {
    set_deadline(connection, std::nullopt);
    const ConnectionId id = connection.id;
    std::erase(allocation.connections, id);
    connections_.erase(id);
}

void ConnectionTable::set_deadline(Connection& connection, std::optional<Instant> deadline) {
    deadlines_.update(connection.id, connection.deadline, deadline);
}

Connection* ConnectionTable::first_expired(Instant now) {
    const auto id = deadlines_.expired(now);
    return id ? find(*id) : nullptr;
}

}  // namespace stile::turn
