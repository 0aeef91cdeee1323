// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What operators see, and what another process continues with.
#include <stile/turn/server.hpp>

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

constexpr unsigned shard_shift = 24;  // of a connection's number

std::uint8_t first_octet(BytesView octets) { return std::to_integer<std::uint8_t>(octets[0]); }

}  // namespace

std::optional<std::uint8_t> Server::shard_of_request(BytesView message) {
    const auto parsed = stun::MessageView::parse(message);
    if (!parsed || parsed->message_class() != stun::Class::Request) return std::nullopt;
    if (parsed->method() == stun::Method::Allocate) {
        const auto token = parsed->get<stun::ReservationToken>();
        if (token) return first_octet(token->octets);
    } else if (parsed->method() == stun::Method::Refresh) {
        const auto ticket = parsed->get<stun::MobilityTicket>();
        if (ticket && !ticket->octets.empty()) return first_octet(ticket->octets);
    } else if (parsed->method() == stun::Method::ConnectionBind) {
        const auto connection = parsed->get<stun::ConnectionId>();
        if (connection) return static_cast<std::uint8_t>(connection->value >> shard_shift);
    }
    return std::nullopt;
}

const std::string& Server::owner_of(const Allocation& allocation) const {
    return table_.relay_at(allocation.relays[0] ? *allocation.relays[0] : *allocation.relays[1])
        .user->first;
}

Session Server::session_of(Instant now, const Allocation& allocation) const {
    Session session{.flow = allocation.flow,
                    .username = allocation.username,
                    .owner = owner_of(allocation),
                    .protocol = allocation.protocol,
                    .relayed = {},
                    .started = allocation.started,
                    .expires = allocation.started,
                    .permissions = {},
                    .channels = {},
                    .connections = allocation.connections.size(),
                    .traffic = table_.traffic_of(allocation)};
    for (const auto& index : allocation.relays) {
        if (!index) continue;
        const Relay& relay = table_.relay_at(*index);
        session.relayed.push_back(relay.address);
        session.expires = std::max(session.expires, relay.deadline.value_or(now));
    }
    for (const IpAddress& peer : allocation.permissions) {
        if (const auto until = table_.permitted_until(allocation.index, peer, now)) {
            session.permissions.push_back({.peer = peer, .expires = *until});
        }
    }
    for (const ChannelNumber number : allocation.channels) {
        if (const Channel* channel = table_.find_channel(allocation.index, number, now)) {
            session.channels.push_back(
                {.number = number, .peer = channel->peer, .expires = channel->expires});
        }
    }
    return session;
}

std::vector<Session> Server::sessions(Instant now) const {
    std::vector<Session> all;
    table_.for_each_allocation(
        [&](const Allocation& allocation) { all.push_back(session_of(now, allocation)); });
    return all;
}

Snapshot::Allocation Server::copy_of(Instant now, const Allocation& allocation) const {
    Session session = session_of(now, allocation);
    Snapshot::Allocation copy{.flow = session.flow,
                              .username = std::move(session.username),
                              .owner = std::move(session.owner),
                              .created_by = allocation.created_by,
                              .answer = allocation.answer,
                              .protocol = session.protocol,
                              .started = session.started,
                              .traffic = session.traffic,
                              .relays = {},
                              .permissions = std::move(session.permissions),
                              .channels = std::move(session.channels),
                              .connections = {},
                              .mobility = {},
                              .token = {}};
    for (const auto& index : allocation.relays) {
        if (!index) continue;
        const Relay& relay = table_.relay_at(*index);
        copy.relays.push_back(
            {.id = relay.id, .address = relay.address, .expires = relay.deadline.value_or(now)});
    }
    for (const ConnectionId id : allocation.connections) {
        const Connection& connection = *connections_.find(id);
        if (connection.state == Connection::State::Opening) continue;
        copy.connections.push_back({.id = id,
                                    .relay = connection.relay,
                                    .peer = connection.peer,
                                    .data_flow = connection.data_flow,
                                    .expires = connection.deadline.value_or(now)});
    }
    if (allocation.mobility) copy.mobility = *allocation.mobility;
    if (allocation.token) copy.token = *allocation.token;
    return copy;
}

Snapshot Server::snapshot(Instant now) const {
    Snapshot all;
    table_.for_each_allocation(
        [&](const Allocation& allocation) { all.allocations.push_back(copy_of(now, allocation)); });
    table_.for_each_relay([&](const Relay& relay) {
        if (relay.state != Relay::State::Reserved) return;
        all.reservations.push_back({.id = relay.id,
                                    .address = relay.address,
                                    .expires = relay.deadline.value_or(now),
                                    .owner = relay.user->first,
                                    .token = relay.token});
    });
    return all;
}

std::size_t Server::restore(Instant now, const Snapshot& snapshot) {
    STILE_ASSERT(table_.allocations() == 0 && table_.relays() == 0);
    std::size_t restored = 0;
    for (const Snapshot::Allocation& copy : snapshot.allocations) {
        if (restore(now, copy)) ++restored;
    }
    for (const Snapshot::Reservation& copy : snapshot.reservations) {
        const auto user = users_.find_or_add(now, copy.owner, config_);
        Relay* relay = table_.restore_relay(copy.id, RelayProtocol::Udp, copy.address, user,
                                            Relay::State::Reserved, copy.expires);
        if (relay == nullptr) {
            users_.release(now, user, config_);
            continue;
        }
        ++user->second.relays;
        table_.set_token(*relay, copy.token);
        if (config_.directory != nullptr) config_.directory->add(copy.address, relay->protocol);
    }
    table_.finish_restoring();
    return restored;
}

bool Server::restore(Instant now, const Snapshot::Allocation& copy) {
    const bool at_flow = !copy.mobility || copy.mobility->old == Mobility::Old::There;
    if ((at_flow && table_.find(copy.flow) != nullptr) || copy.relays.empty() ||
        copy.relays.size() > 2) {
        return false;
    }
    Allocation& allocation = table_.create(copy.flow, copy.username, copy.created_by);
    allocation.answer = copy.answer;
    allocation.protocol = copy.protocol;
    allocation.started = copy.started;
    allocation.traffic = copy.traffic;
    if (copy.token) allocation.token = std::make_unique<TokenSession>(*copy.token);
    const auto user = users_.find_or_add(now, copy.owner, config_);
    for (const Snapshot::Relay& each : copy.relays) {
        if (allocation.relay_of(each.address.ip.family())) continue;
        Relay* relay = table_.restore_relay(each.id, copy.protocol, each.address, user,
                                            Relay::State::Allocated, each.expires);
        if (relay == nullptr) continue;
        ++user->second.relays;
        relay->allocation = allocation.index;
        relay->flow = allocation.flow;
        allocation.relay_of(relay->family) = relay->id.index;
        if (config_.directory != nullptr) config_.directory->add(each.address, copy.protocol);
    }
    users_.release(now, user, config_);
    if (!allocation.has_relay()) {
        table_.remove(allocation);
        return false;
    }
    for (const Session::Permission& each : copy.permissions) {
        if (!allocation.relay_of(each.peer.family())) continue;
        table_.restore_permission(allocation, each.peer, each.expires);
    }
    for (const Session::Channel& each : copy.channels) {
        if (!allocation.relay_of(each.peer.ip.family())) continue;
        table_.restore_channel(allocation, each.number, each.peer, each.expires);
        offer_channel(now, allocation, each.number);
    }
    for (const Snapshot::Connection& each : copy.connections) {
        const Relay* relay = table_.find(each.relay);
        if (relay == nullptr || relay->allocation != allocation.index) continue;
        Connection* connection = connections_.restore(allocation, each.id);
        if (connection == nullptr) continue;
        connection->state = each.data_flow ? Connection::State::Joined : Connection::State::Waiting;
        connection->relay = each.relay;
        connection->peer = each.peer;
        connection->data_flow = each.data_flow;
        if (!each.data_flow) connections_.set_deadline(*connection, each.expires);
    }
    if (copy.mobility && table_.find_mobile(copy.mobility->id) == nullptr) {
        table_.set_mobility(allocation, *copy.mobility);
    }
    return true;
}

void Server::forget(const ClientFlow& flow) {
    Allocation* allocation = table_.find(flow);
    if (allocation == nullptr || allocation->pending) return;
    while (!allocation->connections.empty()) {
        connections_.remove(*allocation, *connections_.find(allocation->connections.back()));
    }
    const auto relays = allocation->relays;
    for (const auto& index : relays) {
        if (!index) continue;
        // Its address stays in the directory: a peer of those who remain here.
        Relay& relay = table_.relay_at(*index);
        const auto user = relay.user;
        table_.remove(relay);
        if (--user->second.relays == 0) users_.forget(user);
    }
    (void)table_.take_withdrawn();
    table_.remove(*allocation);
}

}  // namespace stile::turn
