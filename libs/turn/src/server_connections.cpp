// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// TCP relays. RFC 6062 Section 5.
#include <stile/turn/server.hpp>

#include <utility>

namespace stile::turn {
namespace {

namespace error = stun::error;

}  // namespace

void Server::handle_connect(Instant now, const Verified& verified, Allocation& allocation) {
    if (allocation.protocol == RelayProtocol::Udp) {
        return refuse(verified, error::allocation_mismatch);
    }
    const auto peer = verified.request.get<stun::XorPeerAddress>();
    if (!peer) return refuse(verified, error::bad_request);
    const auto relay = allocation.relay_of(peer->address.ip.family());
    if (!relay) return refuse(verified, error::peer_family_mismatch);
    if (connections_.find(allocation, peer->address) != nullptr) {
        return refuse(verified, error::connection_already_exists);
    }
    if (judge_peer(peer->address, RelayProtocol::Tcp) == Standing::Forbidden) {
        return refuse(verified, error::forbidden);
    }
    if (allocation.connections.size() >= config_.connections || connections_.is_full() ||
        events_.size() >= most_queued_events) {
        return refuse(verified, error::insufficient_capacity);
    }
    if (config_.user_connects &&
        !user_of(allocation).connects.take(now, per_minute(*config_.user_connects), one_a_minute)) {
        return refuse(verified, error::insufficient_capacity);
    }
    Connection& connection = connections_.add(allocation);
    connection.relay = table_.relay_at(*relay).id;
    connection.peer = peer->address;
    connection.pending = std::make_unique<PendingConnect>(
        PendingConnect{.request = to_bytes(verified.request.wire()),
                       .flow = verified.flow,
                       .key = verified.key,
                       .reply_kind = verified.reply_kind});
    connections_.set_deadline(connection, now + connect_time);
    const SocketAddress reached = config_.directory == nullptr
                                      ? connection.peer
                                      : config_.directory->local_of(connection.peer);
    events_.push_back(
        ConnectionWanted{.connection = connection.id, .relay = connection.relay, .peer = reached});
}

void Server::handle_connection_opened(Instant now, ConnectionId id) {
    Connection* connection = connections_.find(id);
    // Where it is gone, a ConnectionClosed is on its way.
    if (connection == nullptr || connection->state != Connection::State::Opening) return;
    const auto pending = std::move(connection->pending);
    connection->state = Connection::State::Waiting;
    connections_.set_deadline(*connection, now + connection_bind_time);
    const auto request = stun::MessageView::parse(pending->request);
    const Verified verified{.request = *request,
                            .flow = pending->flow,
                            .username = {},
                            .owner = {},
                            .key = pending->key,
                            .reply_kind = pending->reply_kind,
                            .token = {}};
    auto builder = reply(verified, stun::Class::SuccessResponse);
    builder.add(stun::ConnectionId{id.value});
    answer(verified, std::move(builder));
}

void Server::handle_connection_failed(Instant now, ConnectionId id, ConnectionFailure why) {
    (void)now;
    Connection* connection = connections_.find(id);
    if (connection == nullptr || connection->state != Connection::State::Opening) return;
    fail_connect(*connection, why == ConnectionFailure::NoSocket ? error::insufficient_capacity
                                                                 : error::connection_failure);
}

void Server::fail_connect(Connection& connection, const stun::ErrorCode& error) {
    const auto pending = std::move(connection.pending);
    connections_.remove(table_.at(connection.allocation), connection);
    const auto request = stun::MessageView::parse(pending->request);
    refuse({.request = *request,
            .flow = pending->flow,
            .username = {},
            .owner = {},
            .key = pending->key,
            .reply_kind = pending->reply_kind,
            .token = {}},
           error);
}

std::optional<ConnectionId> Server::handle_peer_accepted(Instant now, RelayId id,
                                                         const SocketAddress& source) {
    const Relay* relay = table_.find(id);
    if (relay == nullptr || relay->state != Relay::State::Allocated ||
        relay->protocol == RelayProtocol::Udp) {
        drop(DropReason::UnknownRelay);
        return std::nullopt;
    }
    Allocation& allocation = table_.at(*relay->allocation);
    const SocketAddress peer = config_.directory == nullptr
                                   ? source
                                   : config_.directory->external_of(source, RelayProtocol::Tcp);
    if (!table_.permits(allocation.index, peer.ip, now)) {
        drop(DropReason::NoPermission);
        return std::nullopt;
    }
    // The permission may be older than the policy, and it was for any port.
    if (judge_peer(peer, RelayProtocol::Tcp) == Standing::Forbidden) {
        drop(DropReason::PeerRefused);
        return std::nullopt;
    }
    if (allocation.connections.size() >= config_.connections || connections_.is_full()) {
        drop(DropReason::QueueFull);
        return std::nullopt;
    }
    Connection& connection = connections_.add(allocation);
    connection.state = Connection::State::Waiting;
    connection.relay = id;
    connection.peer = peer;
    connections_.set_deadline(connection, now + connection_bind_time);
    stun::MessageBuilder builder{stun::Class::Indication, stun::Method::ConnectionAttempt,
                                 stun::TransactionId::random(random_)};
    builder.add(stun::ConnectionId{connection.id.value}).add(stun::XorPeerAddress{peer});
    queue(allocation.flow, builder.finish(), Trust::Authenticated);
    return connection.id;
}

void Server::handle_connection_bind(Instant now, const Verified& verified) {
    (void)now;
    const auto number = verified.request.get<stun::ConnectionId>();
    if (!is_stream(verified.flow.transport) || !number || table_.find(verified.flow) != nullptr) {
        return refuse(verified, error::bad_request);
    }
    Connection* connection = connections_.find({number->value});
    if (connection == nullptr || connection->state != Connection::State::Waiting) {
        return refuse(verified, error::bad_request);
    }
    if (table_.at(connection->allocation).username != verified.username) {
        return refuse(verified, error::wrong_credentials);
    }
    connection->state = Connection::State::Joined;
    connection->data_flow = verified.flow;
    connections_.set_deadline(*connection, std::nullopt);
    answer(verified, reply(verified, stun::Class::SuccessResponse));
    events_.push_back(ConnectionJoined{.connection = connection->id, .data_flow = verified.flow});
}

void Server::handle_connection_gone(Instant now, ConnectionId id) {
    (void)now;
    Connection* connection = connections_.find(id);
    if (connection == nullptr) return;
    if (connection->pending) return fail_connect(*connection, error::connection_failure);
    connections_.remove(table_.at(connection->allocation), *connection);
}

Server::Budget Server::handle_spliced(Instant now, ConnectionId id, const Traffic& carried) {
    const Connection* connection = connections_.find(id);
    if (connection == nullptr) return Budget::Within;
    Allocation& allocation = table_.at(connection->allocation);
    allocation.traffic.octets_to_peers += carried.octets_to_peers;
    allocation.traffic.octets_to_clients += carried.octets_to_clients;
    counters_.octets_to_peers += carried.octets_to_peers;
    counters_.octets_to_clients += carried.octets_to_clients;
    if (!config_.user_bandwidth) return Budget::Within;
    TokenBucket& bucket = user_of(allocation).octets;
    bucket.charge(now, *config_.user_bandwidth,
                  carried.octets_to_peers + carried.octets_to_clients);
    return bucket.has(now, *config_.user_bandwidth, 1) ? Budget::Within : Budget::Spent;
}

void Server::close_connection(Connection& connection) {
    events_.push_back(ConnectionClosed{connection.id});
    connections_.remove(table_.at(connection.allocation), connection);
}

void Server::close_connections(Allocation& allocation, RelayId relay) {
    for (std::size_t i = allocation.connections.size(); i-- > 0;) {
        Connection& connection = *connections_.find(allocation.connections[i]);
        if (connection.relay == relay) close_connection(connection);
    }
}

void Server::expire_connections(Instant now) {
    while (Connection* connection = connections_.first_expired(now)) {
        if (connection->state == Connection::State::Opening) {
            events_.push_back(ConnectionClosed{connection->id});
            fail_connect(*connection, error::connection_failure);
        } else {
            close_connection(*connection);
        }
    }
}

bool Server::take_new_peers(Instant now, Allocation& allocation, std::span<const IpAddress> peers) {
    if (!config_.user_new_peers) return true;
    std::uint64_t fresh = 0;
    for (const IpAddress& peer : peers) {
        if (!table_.permits(allocation.index, peer, now)) ++fresh;
    }
    return fresh == 0 ||
           user_of(allocation)
               .new_peers.take(now, per_minute(*config_.user_new_peers), one_a_minute * fresh);
}

}  // namespace stile::turn
