// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/connection_table.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/machine.hpp>
#include <stile/ice/limits.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

template <class Connections, class Matches>
auto find_in(Connections& connections, Matches matches) -> decltype(connections.data()) {
    const auto found = std::find_if(connections.begin(), connections.end(), matches);
    return found == connections.end() ? nullptr : &*found;
}

bool is_alive(const Connection& connection) {
    return connection.phase != Connection::Phase::Released;
}

}  // namespace

ConnectionTable::Room ConnectionTable::room_for(const IpAddress& remote) const {
    if (connections_.size() >= limits::most_connections) return Room::Full;
    const auto attempts =
        std::count_if(connections_.begin(), connections_.end(), [&](const Connection& connection) {
            return connection.is_attempt() && connection.path.remote.ip == remote;
        });
    return static_cast<std::size_t>(attempts) < limits::most_attempts_to_one_address ? Room::Free
                                                                                     : Room::Full;
}

ConnectionTable::Room ConnectionTable::room_to_accept() const {
    if (connections_.size() >= limits::most_connections) return Room::Full;
    const auto unproven =
        std::count_if(connections_.begin(), connections_.end(), [](const Connection& connection) {
            return connection.origin == Connection::Origin::Accepted && is_alive(connection) &&
                   !connection.proven;
        });
    return static_cast<std::size_t>(unproven) < limits::most_unproven_connections ? Room::Free
                                                                                  : Room::Full;
}

Connection& ConnectionTable::open(Connection connection) {
    STILE_ASSERT(room_for(connection.path.remote.ip) == Room::Free);
    connection.id = new_id();
    connection.phase = Connection::Phase::Wanted;
    connection.origin = Connection::Origin::Opened;
    return connections_.emplace_back(connection);
}

Connection& ConnectionTable::accept(Connection connection) {
    STILE_ASSERT(room_to_accept() == Room::Free);
    connection.id = new_id();
    connection.phase = Connection::Phase::Open;
    connection.origin = Connection::Origin::Accepted;
    return connections_.emplace_back(connection);
}

Connection* ConnectionTable::find(ConnectionId id) {
    return find_in(connections_, [&](const Connection& connection) {
        return connection.id == id && is_alive(connection);
    });
}

const Connection* ConnectionTable::find(ConnectionId id) const {
    return find_in(connections_, [&](const Connection& connection) {
        return connection.id == id && is_alive(connection);
    });
}

Connection* ConnectionTable::of_pair(PairId pair) {
    return find_in(connections_, [&](const Connection& connection) {
        return connection.pair == pair && is_alive(connection);
    });
}

const Connection* ConnectionTable::of_pair(PairId pair) const {
    return find_in(connections_, [&](const Connection& connection) {
        return connection.pair == pair && is_alive(connection);
    });
}

Connection* ConnectionTable::find(const Path& path) {
    return find_in(connections_, [&](const Connection& connection) {
        return connection.path == path && is_alive(connection);
    });
}

void ConnectionTable::retry_at(Connection& connection, Instant when) {
    connection.phase = Connection::Phase::RetryLater;
    connection.deadline = when;
}

void ConnectionTable::retry(Connection& connection) {
    STILE_ASSERT(connection.phase == Connection::Phase::RetryLater);
    connection.id = new_id();
    connection.phase = Connection::Phase::Wanted;
    connection.deadline = connection.give_up;
}

void ConnectionTable::release(Connection& connection) {
    switch (connection.phase) {
        case Connection::Phase::Wanted:
        case Connection::Phase::RetryLater:
            // Nobody knows of it.
            connections_.erase(connections_.begin() + (&connection - connections_.data()));
            break;
        case Connection::Phase::Opening:
        case Connection::Phase::Open:
            connection.phase = Connection::Phase::Released;
            connection.pair.reset();
            connection.deadline.reset();
            break;
        case Connection::Phase::Released:
            break;
    }
}

void ConnectionTable::forget(ConnectionId id) {
    std::erase_if(connections_, [&](const Connection& connection) { return connection.id == id; });
    if (connections_.empty()) connections_.shrink_to_fit();
}

std::optional<ConnectionTable::Wish> ConnectionTable::poll() {
    for (Connection& connection : connections_) {
        if (connection.phase == Connection::Phase::Wanted) {
            connection.phase = Connection::Phase::Opening;
            return ConnectionWanted{.id = connection.id,
                                    .component = connection.component,
                                    .path = connection.path,
                                    .type = connection.type};
        }
        if (connection.phase == Connection::Phase::Released) {
            const ConnectionId id = connection.id;
            forget(id);
            return ConnectionReleased{.id = id};
        }
    }
    return std::nullopt;
}

std::optional<Instant> ConnectionTable::next_deadline() const {
    std::optional<Instant> next;
    for (const Connection& connection : connections_) next = earlier(next, connection.deadline);
    return next;
}

}  // namespace stile::ice
