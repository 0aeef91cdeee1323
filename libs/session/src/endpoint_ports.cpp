// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Sockets that sessions share: whose a datagram is, and what a later session need not ask again.
#include <stile/session/endpoint.hpp>

namespace stile::session {
namespace {

HashSeed make_seed(crypto::RandomStream& random) {
    const std::uint64_t k0 = random.u64();
    return {.k0 = k0, .k1 = random.u64()};
}

}  // namespace

void Endpoint::prepare_ports(Instant now, connect::ConnectorConfig& path) {
    if (path.sockets != connect::Sockets::Shared) return;
    if (!ports_) ports_.emplace(make_seed(random_));
    path.reflexive = ports_->reflexive(now);
    ports_->mark_immobile(path.turn_servers);
}

void Endpoint::follow_ports(Instant now, SessionId id, const HttpSession& session) {
    if (session.path().sockets() != connect::Sockets::Shared) return;
    ports_->follow(now, connect::UserId{id.value}, session.path());
}

std::span<const SessionId> Endpoint::receivers(Instant now, const Path& path, BytesView datagram) {
    receivers_.clear();
    if (ports_) {
        for (const connect::UserId user : ports_->route(now, path, datagram)) {
            receivers_.push_back(SessionId{user.value});
        }
    }
    return receivers_;
}

void Endpoint::handle_network_changed() {
    if (ports_) ports_->forget_reflexive();
}

}  // namespace stile::session
