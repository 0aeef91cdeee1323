// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// TCP connections: what pairs need them, and what becomes of the pairs when they open, fail or end.
// RFC 6544 Sections 7, 8, 9.2 and 11.1.
#include <stile/base/assert.hpp>
#include <stile/ice/agent.hpp>
#include <stile/ice/simultaneous_open.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

PairError error_of(ConnectFailure failure) {
    switch (failure) {
        case ConnectFailure::Refused:
            return {.kind = PairError::Kind::ConnectionRefused};
        case ConnectFailure::TimedOut:
            return {.kind = PairError::Kind::TimedOut};
        case ConnectFailure::Unreachable:
        case ConnectFailure::Local:
            return {.kind = PairError::Kind::ConnectionFailed};
    }
    return {};
}

// Whether the peer's own attempt, or the hole that ours made, may let the next one through.
bool may_yet_open(const Connection& attempt, ConnectFailure failure) {
    if (attempt.type != TcpType::SimultaneousOpen) return false;
    return failure == ConnectFailure::Refused || failure == ConnectFailure::TimedOut;
}

}  // namespace

// ---- what belongs together -------------------------------------------------------------------

Flow Agent::flow_of(const CandidatePair& pair) const {
    if (pair.transport == Transport::Tcp) {
        const Connection* connection = connections_.of_pair(pair.id);
        if (connection != nullptr && connection->phase == Connection::Phase::Open) {
            return {.path = connection->path, .connection = connection->id};
        }
    }
    return {.path = pair.path, .connection = {}};
}

// The pair whose way this is.
CandidatePair* Agent::pair_on(const Flow& flow) {
    if (!flow.connection) return checklist_.find(flow.path);
    const Connection* connection = connections_.find(*flow.connection);
    if (connection == nullptr) return nullptr;
    if (connection->pair) return checklist_.find(*connection->pair);
    CandidatePair* pair = checklist_.find(flow.path, Transport::Tcp);
    if (pair != nullptr) bind(connection->id, pair->id);
    return pair;
}

// The local candidate that a message on this way is for.
std::optional<std::uint16_t> Agent::local_of(const Flow& flow) const {
    if (!flow.connection) return local_.find_base(flow.path.local);
    const Connection* connection = connections_.find(*flow.connection);
    if (connection == nullptr) return std::nullopt;
    const CandidatePair* pair = connection->pair ? checklist_.find(*connection->pair) : nullptr;
    if (pair != nullptr) return pair->local;
    return local_.find_base(flow.path.local, Transport::Tcp);
}

// Checks of the pair go over this connection; an attempt of our own at another one ends.
void Agent::bind(ConnectionId connection, PairId pair) {
    if (Connection* other = connections_.of_pair(pair); other != nullptr) {
        if (other->id == connection) return;
        connections_.release(*other);
        checklist_.release_held();
    }
    Connection* chosen = connections_.find(connection);
    STILE_ASSERT(chosen != nullptr);
    chosen->pair = pair;
    if (chosen->proven) chosen->deadline.reset();
}

// Whoever is at the other end knows the session's secrets.
void Agent::prove(const Flow& flow) {
    if (!flow.connection) return;
    Connection* connection = connections_.find(*flow.connection);
    if (connection == nullptr || connection->proven) return;
    connection->proven = true;
    if (connection->pair) connection->deadline.reset();
}

// ---- opening ---------------------------------------------------------------------------------

// The way for a check that is due; empty where a connection has to be opened first, or there is
// none to be had. RFC 6544 Section 7.1.
std::optional<Flow> Agent::connect(Instant now, CandidatePair& pair) {
    if (pair.transport == Transport::Udp) return Flow{.path = pair.path, .connection = {}};
    const TcpType type = *local_[pair.local].tcp_type;
    Connection* connection = connections_.of_pair(pair.id);
    const bool has_port = type != TcpType::Active || local_[pair.local].base.port != discard_port;
    if (connection == nullptr && has_port) {
        // RFC 6544 Section 9.2: one that is there already between these two addresses is reused.
        connection = connections_.find(pair.path);
        if (connection != nullptr) connection->pair = pair.id;
    }
    if (connection != nullptr) {
        if (connection->phase == Connection::Phase::Open) {
            if (connection->proven) connection->deadline.reset();
            return Flow{.path = connection->path, .connection = connection->id};
        }
        pair.state = PairState::InProgress;
        return std::nullopt;
    }
    if (type == TcpType::Passive) {
        fail_pair(now, pair, {.kind = PairError::Kind::ConnectionClosed});
        return std::nullopt;
    }
    if (connections_.room_for(pair.path.remote.ip) == ConnectionTable::Room::Full) {
        pair.state = PairState::Waiting;
        pair.held = true;
        return std::nullopt;
    }
    pair.state = PairState::InProgress;
    connections_.open({.type = type,
                       .component = pair.component,
                       .path = pair.path,
                       .pair = pair.id,
                       .deadline = now + config_.ti,
                       .give_up = now + config_.ti});
    return std::nullopt;
}

void Agent::handle_connected(Instant now, ConnectionId id, const Path& path) {
    see(now);
    Connection* connection = connections_.find(id);
    if (connection == nullptr || connection->phase != Connection::Phase::Opening) return;
    connection->phase = Connection::Phase::Open;
    connection->path = path;
    connection->deadline.reset();
    checklist_.release_held();
    CandidatePair* pair = connection->pair ? checklist_.find(*connection->pair) : nullptr;
    if (pair == nullptr || pair->state != PairState::InProgress || !may_check()) return;
    send_check(now_, *pair, {.path = path, .connection = id});
}

void Agent::handle_connect_failed(Instant now, ConnectionId id, ConnectFailure failure) {
    see(now);
    Connection* connection = connections_.find(id);
    if (connection == nullptr) {
        connections_.forget(id);  // released, and not yet told
        return;
    }
    if (connection->phase != Connection::Phase::Opening) return;
    if (may_yet_open(*connection, failure)) {
        const auto wait = SimultaneousOpenSchedule::wait_after(++connection->refusals, random_);
        connections_.retry_at(*connection, std::min(now_ + wait, connection->give_up));
        return;
    }
    give_up_attempt(now_, id, error_of(failure));
    consider_nominations(now_);
    evaluate_failure();
}

// The attempt is over and with it the pair's check: "a full-mode agent MUST update the pair state
// to Failed", RFC 6544 Section 7.1.
void Agent::give_up_attempt(Instant now, ConnectionId id, PairError error) {
    const auto pair_id = connections_.find(id)->pair;
    connections_.forget(id);
    checklist_.release_held();
    CandidatePair* pair = pair_id ? checklist_.find(*pair_id) : nullptr;
    if (pair != nullptr && pair->state == PairState::InProgress) fail_pair(now, *pair, error);
}

// RFC 6544 Section 7.2.
std::optional<ConnectionId> Agent::handle_accepted(Instant now, const Path& path) {
    see(now);
    const auto local = local_.find_base(path.local, Transport::Tcp);
    if (!local || failure_ == FailureReason::ConsentLost) return std::nullopt;
    const ComponentId id = local_[*local].component;
    if (component(id).nominated()) return std::nullopt;

    std::optional<PairId> pair_id;
    if (Connection* known = connections_.find(path); known != nullptr) {
        if (known->is_attempt()) {
            // Both opened, and the peer's SYN was the one that got through.
            pair_id = known->pair;
            connections_.release(*known);
            checklist_.release_held();
        } else {
            // Two cannot be open between the same addresses: the older one is no more.
            const ConnectionId old = known->id;
            lose_connection(now_, old, {.kind = PairError::Kind::ConnectionClosed});
            if (failure_ == FailureReason::ConsentLost) return std::nullopt;
        }
    }
    if (connections_.room_to_accept() == ConnectionTable::Room::Full) {
        CandidatePair* pair = pair_id ? checklist_.find(*pair_id) : nullptr;
        if (pair != nullptr) fail_pair(now_, *pair, {.kind = PairError::Kind::ConnectionFailed});
        return std::nullopt;
    }
    const ConnectionId accepted = connections_
                                      .accept({.type = *local_[*local].tcp_type,
                                               .component = id,
                                               .path = path,
                                               .pair = pair_id,
                                               .deadline = now_ + limits::unproven_lifetime})
                                      .id;
    if (CandidatePair* pair = pair_id ? checklist_.find(*pair_id) : nullptr;
        pair != nullptr && pair->state == PairState::InProgress && may_check()) {
        send_check(now_, *pair, {.path = path, .connection = accepted});
    }
    return accepted;
}

// ---- what arrives ----------------------------------------------------------------------------

Verdict Agent::handle_frame(Instant now, ConnectionId id, BytesView frame) {
    see(now);
    const Connection* connection = connections_.find(id);
    if (connection == nullptr || connection->phase != Connection::Phase::Open) {
        return Verdict::NotMine;
    }
    const auto message = stun::MessageView::parse(frame);
    if (!message) return connection->proven ? Verdict::NotMine : handle_not_ice(now_, id);
    return handle_message(now_, {.path = connection->path, .connection = id}, *message);
}

// RFC 6544 Section 7.1: "the remote candidate address apparently was not one of the peer's
// addresses, and the agent SHOULD close the connection and consider all pairs with that remote
// candidate as failed". Of a connection that was accepted nothing follows but that it is of no use.
Verdict Agent::handle_not_ice(Instant now, ConnectionId id) {
    Connection* connection = connections_.find(id);
    const bool was_opened = connection->origin == Connection::Origin::Opened;
    const CandidatePair* spoiled = connection->pair ? checklist_.find(*connection->pair) : nullptr;
    const auto remote =
        spoiled != nullptr && was_opened ? std::optional{spoiled->remote} : std::nullopt;
    connections_.release(*connection);
    checklist_.release_held();
    if (!remote) return Verdict::Consumed;
    for (CandidatePair& pair : checklist_.pairs()) {
        // One that is valid has shown that it leads to the peer all the same.
        if (pair.remote != *remote || pair.valid) continue;
        erase_checks(pair.id);
        fail_pair(now, pair, {.kind = PairError::Kind::NotIce});
    }
    consider_nominations(now);
    evaluate_failure();
    return Verdict::Consumed;
}

// ---- the end ---------------------------------------------------------------------------------

void Agent::handle_connection_closed(Instant now, ConnectionId id) {
    see(now);
    const Connection* connection = connections_.find(id);
    if (connection == nullptr) {
        connections_.forget(id);  // released, and not yet told
        return;
    }
    if (connection->phase != Connection::Phase::Open) return;
    lose_connection(now_, id, {.kind = PairError::Kind::ConnectionClosed});
    connections_.forget(id);  // there is nothing to close
    consider_nominations(now_);
    evaluate_failure();
}

void Agent::lose_connection(Instant now, ConnectionId id, PairError error) {
    Connection& connection = *connections_.find(id);
    const auto pair_id = connection.pair;
    connections_.release(connection);
    checklist_.release_held();
    std::erase_if(early_checks_,
                  [&](const EarlyCheck& early) { return early.flow.connection == id; });
    if (previous_) {
        for (std::size_t i = previous_->pairs.size(); i-- > 0;) {
            if (previous_->pairs[i].selected.flow.connection == id) lose_previous(now, i, error);
        }
    }
    CandidatePair* pair = pair_id ? checklist_.find(*pair_id) : nullptr;
    if (pair == nullptr || (pair->state != PairState::InProgress && !pair->valid)) return;
    erase_checks(pair->id);
    fail_pair(now, *pair, error);
}

void Agent::update_connections(Instant now) {
    const auto is_due = [&](const Connection& connection) {
        return connection.deadline && now >= *connection.deadline;
    };
    for (;;) {
        const auto all = connections_.all();
        const auto due = std::find_if(all.begin(), all.end(), is_due);
        if (due == all.end()) return;
        switch (due->phase) {
            case Connection::Phase::RetryLater:
                if (now < due->give_up) {
                    connections_.retry(*due);
                    break;
                }
                [[fallthrough]];
            case Connection::Phase::Wanted:
            case Connection::Phase::Opening: {
                const auto pair_id = due->pair;
                connections_.release(*due);
                checklist_.release_held();
                CandidatePair* pair = pair_id ? checklist_.find(*pair_id) : nullptr;
                if (pair != nullptr && pair->state == PairState::InProgress) {
                    fail_pair(now, *pair, {.kind = PairError::Kind::TimedOut});
                }
                break;
            }
            case Connection::Phase::Open:
                due->deadline.reset();
                if (!is_needed(*due)) connections_.release(*due);
                break;
            case Connection::Phase::Released:
                due->deadline.reset();
                break;
        }
    }
}

// RFC 6544 Section 8: once there is a nominated pair, its connection and no other; Section 9.2: the
// one of the generation before until a new pair is nominated.
bool Agent::is_needed(const Connection& connection) const {
    const Component& its = components_[connection.component.value - 1U];
    if (its.selected && its.selected->flow.connection == connection.id) return true;
    if (previous_ && std::any_of(previous_->pairs.begin(), previous_->pairs.end(),
                                 [&](const Previous::Pair& pair) {
                                     return pair.selected.flow.connection == connection.id;
                                 })) {
        return true;
    }
    if (failure_ == FailureReason::ConsentLost) return false;
    const CandidatePair* pair = connection.pair ? checklist_.find(*connection.pair) : nullptr;
    if (pair != nullptr && (pair->is_unfinished() || pair->valid) &&
        (!its.nominated() || pair->nominated_on_success)) {
        return true;
    }
    if (connection.origin == Connection::Origin::Opened || its.nominated()) return false;
    // No check that a pair came of has arrived yet, or one did before the peer's credentials.
    return (connection.deadline && !connection.carried_data) ||
           std::any_of(early_checks_.begin(), early_checks_.end(), [&](const EarlyCheck& early) {
               return early.flow.connection == connection.id;
           });
}

void Agent::release_unneeded() {
    if (connections_.empty()) return;
    bool made_room = false;
    for (std::size_t i = connections_.all().size(); i-- > 0;) {
        Connection& connection = connections_.all()[i];
        if (connection.phase == Connection::Phase::Released) continue;
        const bool is_needed_now = is_needed(connection);
        const bool has_successor =
            components_[connection.component.value - 1U].selected.has_value();
        if (connection.carried_data && (has_successor || is_needed_now)) {
            if (is_needed_now) {
                connection.deadline.reset();
            } else if (!connection.deadline) {
                connection.deadline = now_ + limits::connection_linger;
            }
            continue;
        }
        if (is_needed_now) continue;
        connections_.release(connection);
        made_room = true;
    }
    if (made_room) checklist_.release_held();
}

}  // namespace stile::ice
