// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The client's side of TCP allocations. RFC 6062.
#include <stile/turn/client.hpp>

#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

// RFC 6062 Section 4.3.
constexpr Duration wait_after_failure = std::chrono::seconds{10};

std::optional<ConnectionId> connection_id_of(const stun::MessageView& message) {
    const auto id = message.get<stun::ConnectionId>();
    if (!id) return std::nullopt;
    return ConnectionId{id->value};
}

}  // namespace

Client::Accepted Client::connect(Instant now, const SocketAddress& peer) {
    STILE_ASSERT(config_.protocol == RelayProtocol::Tcp);
    if (state_ == State::Releasing || state_ == State::Ended) return Accepted::Ended;
    std::erase_if(connects_, [&](const Connect& each) {
        return each.wanted == Connect::Wanted::No && each.not_before <= now;
    });
    const auto known = std::ranges::find(connects_, peer, &Connect::peer);
    if (known != connects_.end()) {
        known->wanted = Connect::Wanted::Yes;
    } else {
        if (connects_.size() == most_client_connects) return Accepted::LimitReached;
        connects_.push_back({.peer = peer, .not_before = now});
    }
    pump(now);
    return Accepted::Yes;
}

void Client::on_connected(Instant now, const SocketAddress& peer,
                          const stun::MessageView& response) {
    const auto connection = connection_id_of(response);
    if (!connection) return fail_connect(now, peer, {.kind = FailureKind::ProtocolViolated});
    std::erase_if(connects_, [&](const Connect& each) { return each.peer == peer; });
    notify(Connected{.peer = peer, .connection = *connection});
}

void Client::fail_connect(Instant now, const SocketAddress& peer, Failure failure) {
    const auto known = std::ranges::find(connects_, peer, &Connect::peer);
    if (known == connects_.end()) return;
    if (failure.kind == FailureKind::ConnectionFailed) {
        known->flight = Flight::Idle;
        known->wanted = Connect::Wanted::No;
        known->not_before = now + wait_after_failure;
    } else {
        connects_.erase(known);
    }
    notify(ConnectFailed{.peer = peer, .failure = std::move(failure)});
}

void Client::handle_attempt(Instant now, const stun::MessageView& indication) {
    const auto peer = indication.get<stun::XorPeerAddress>();
    const auto connection = connection_id_of(indication);
    const auto unknown = indication.unknown_required(
        {stun::AttributeType::XorPeerAddress, stun::AttributeType::ConnectionId});
    if (!peer || !connection || !unknown.empty()) return;
    if (config_.protocol != RelayProtocol::Tcp || state_ != State::Allocated) return;
    if (!is_permitted(now, peer->address.ip)) return;
    notify(ConnectionAttempt{.peer = peer->address, .connection = *connection});
}

DataConnection Client::data_connection(Instant now, ConnectionId connection) {
    return DataConnection{now, connection, authentication_, random_.fork()};
}

}  // namespace stile::turn
