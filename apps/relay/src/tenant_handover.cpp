// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// A tenant that goes on in another process.
#include "tenant_front.hpp"

#include <algorithm>

namespace stile::relay {

void TenantFront::settle() {
    tcp_.settle();
    pump();
}

void TenantFront::copy(HandedShard& handed, MayLeave may_leave,
                       std::set<turn::ClientFlow>& staying) {
    copied_ = service_.snapshot(parts_.loop.now());
    std::erase_if(copied_.allocations, [&](const turn::Snapshot::Allocation& allocation) {
        if (may_leave(allocation.flow) && copy(allocation, handed)) return false;
        staying.insert(allocation.flow);
        if (allocation.mobility && allocation.mobility->moving_to) {
            staying.insert(*allocation.mobility->moving_to);
        }
        return true;
    });
    std::erase_if(copied_.reservations, [&](const turn::Snapshot::Reservation& reservation) {
        return !copy_relay(reservation.id, turn::RelayProtocol::Udp, handed);
    });
    handed.tenants.push_back({.realm = realm_, .state = copied_});
}

// All of it or nothing.
bool TenantFront::copy(const turn::Snapshot::Allocation& allocation, HandedShard& handed) const {
    const std::size_t relays = handed.relays.size();
    const std::size_t connections = handed.connections.size();
    bool whole = true;
    for (const auto& relay : allocation.relays) {
        whole = whole && copy_relay(relay.id, allocation.protocol, handed);
    }
    for (const auto& each : allocation.connections) {
        auto connection = whole ? tcp_.copy(each.id) : std::nullopt;
        whole = connection.has_value();
        if (!whole) break;
        connection->tenant = parts_.tenant;
        handed.connections.push_back(*std::move(connection));
    }
    if (!whole) {
        handed.relays.resize(relays);
        handed.connections.resize(connections);
    }
    return whole;
}

bool TenantFront::copy_relay(turn::RelayId id, turn::RelayProtocol protocol,
                             HandedShard& handed) const {
    std::optional<HandedRelay> copy;
    if (protocol == turn::RelayProtocol::Tcp) {
        copy = tcp_.copy(id);
    } else if (const RelaySocket* const relay = find(id)) {
        copy = HandedRelay{.tenant = 0,
                           .relay = id,
                           .address = parts_.sockets.local_address(relay->socket),
                           .socket = parts_.sockets.duplicate(relay->socket)};
    }
    if (!copy || !copy->socket.valid()) return false;
    copy->tenant = parts_.tenant;
    handed.relays.push_back(*std::move(copy));
    return true;
}

void TenantFront::leave() {
    const turn::Snapshot gone = std::exchange(copied_, {});
    for (const auto& allocation : gone.allocations) {
        service_.forget(allocation.flow);
        for (const auto& connection : allocation.connections) tcp_.let_go(connection.id);
        for (const auto& relay : allocation.relays) {
            tcp_.let_go(relay.id);
            close(relay.id);
        }
    }
    for (const auto& reservation : gone.reservations) close(reservation.id);
    pump();
}

void TenantFront::resume(const turn::Snapshot& state, std::vector<HandedRelay> relays,
                         std::vector<HandedConnection> connections) {
    std::set<turn::RelayId> tcp;
    for (const auto& allocation : state.allocations) {
        if (allocation.protocol != turn::RelayProtocol::Tcp) continue;
        for (const auto& relay : allocation.relays) tcp.insert(relay.id);
    }
    for (HandedRelay& relay : relays) {
        if (tcp.contains(relay.relay)) {
            tcp_.resume(std::move(relay));
            continue;
        }
        const auto socket =
            parts_.sockets.adopt(std::move(relay.socket), socket_options(relay.relay));
        if (socket) adopt(relay.relay, *socket);
    }
    (void)service_.restore(parts_.loop.now(), state);
    for (HandedConnection& connection : connections) tcp_.resume(std::move(connection));
    pump();
}

}  // namespace stile::relay
