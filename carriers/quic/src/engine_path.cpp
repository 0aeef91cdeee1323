// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <stile/quic/limits.hpp>

#include <algorithm>

namespace stile::quic {

// The way of a datagram is not ours to choose, and the peer's need not be the same pair of
// addresses: a client knows but the one that it is on, a server but one for ever.
Path Connection::Engine::current_path() const {
    return from_native(*ngtcp2_conn_get_path(connection_.get()));
}

void Connection::Engine::change_path(Instant now, std::optional<Duration> round_trip) {
    advance(now);
    // RFC 9000 Section 9: "An endpoint MUST NOT initiate connection migration before the handshake
    // is confirmed". There congestion control has hardly begun; the rest is repeated packets.
    if (phase_ != Phase::Open || !confirmed_) return;
    path_round_trip_ = round_trip.value_or(unknown_round_trip);
    // A server's library does not look for the size of another way.
    if (role_ == Role::Server) datagram_octets_ = least_datagram_octets;
    begin_pings();
    if (role_ == Role::Server) return;
    second_try_ = false;
    want_move();
}

// ---- pings

// Who only reads has nothing to say, and who sends has been waiting ever longer, if there was no
// way for a while: what is lost is found by what is acknowledged after it. A packet may be lost,
// and the peer's own change may come a little later than ours.
void Connection::Engine::begin_pings() {
    const Duration interval = std::max(path_round_trip_ / pings_a_round_trip, least_ping_interval);
    set_pings(keep_alive_ ? std::min(*keep_alive_, interval) : interval);
    pings_begin_ = now_;
    if (role_ == Role::Client) return;  // whose move begins congestion control anew
    next_probe_ = now_;
    consider_probe();
}

// A full window lets no ping out, and the library's probes come the later the longer there was no
// way. So its timer is told to be over: what is unacknowledged is probed for (RFC 9002 Section
// 6.2.4), or taken for lost if that was what it waited for.
void Connection::Engine::consider_probe() {
    if (phase_ != Phase::Open) return;
    ngtcp2_conn_stat native{};
    ngtcp2_conn_get_conn_stat(connection_.get(), &native);
    const bool is_full = native.bytes_in_flight >= native.cwnd;
    if (!is_full) probes_ = 0;
    if (!next_probe_ || now_ < *next_probe_) return;
    next_probe_.reset();
    if (!pings_begin_ || probes_ == most_probes) return;
    next_probe_ = now_ + std::max(path_round_trip_, least_ping_interval);
    if (!is_full || native.loss_detection_timer == UINT64_MAX) return;
    ++probes_;
    const ngtcp2_tstamp time = std::max(native.loss_detection_timer, to_native(now_));
    const int result = ngtcp2_conn_handle_expiry(connection_.get(), time);
    // Of the other timers only that of idleness has a consequence; it has its own time.
    if (result != 0 && result != NGTCP2_ERR_IDLE_CLOSE) fail(result);
}

void Connection::Engine::consider_pings() {
    if (!pings_begin_) return;
    const bool heard = heard_at_ > *pings_begin_ + path_round_trip_ * 2;
    const bool done = heard && (role_ == Role::Server || validation_ != Validation::Begun);
    if (!done && now_ < *pings_begin_ + ping_patience) return;
    pings_begin_.reset();
    next_probe_.reset();
    set_pings(keep_alive_);
}

void Connection::Engine::set_pings(std::optional<Duration> interval) {
    ngtcp2_conn_set_keep_alive_timeout(connection_.get(), interval ? to_native(*interval) : 0);
}

// ---- the moves of a client

void Connection::Engine::want_move() {
    label_ = after(label_);
    validation_ = Validation::Wanted;
    consider_move();
}

// At once rather than after an answer: the check below QUIC has had one, and the old way may be no
// more. RFC 9000 Section 9.2.
void Connection::Engine::consider_move() {
    if (validation_ != Validation::Wanted || phase_ != Phase::Open) return;
    NativePath native{path_of(role_, label_)};
    // A first try that failed has moved already; for the second the round trip, and with it the
    // time for an answer, is that of the way that it is on.
    const auto begin =
        second_try_ ? &ngtcp2_conn_initiate_migration : &ngtcp2_conn_initiate_immediate_migration;
    // Refused while there is no connection id of the peer to spare.
    if (begin(connection_.get(), native.get(), to_native(now_)) == 0) {
        validation_ = Validation::Begun;
    }
}

void Connection::Engine::take_validation() {
    const auto verdict = std::exchange(verdict_, {});
    if (!verdict || validation_ != Validation::Begun || phase_ != Phase::Open) return;
    if (*verdict == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS) {
        validation_ = Validation::None;
        http_.tell(event::PathChanged{});
    } else {
        validation_ = second_try_ ? Validation::None : Validation::Failed;
        http_.tell(event::PathFailed{});
    }
}

// The library gives up after three times what the first way's round trip says, far too soon where
// the new one's is many times as long.
void Connection::Engine::consider_second_try() {
    if (validation_ != Validation::Failed || phase_ != Phase::Open || !has_round_trip()) return;
    second_try_ = true;
    want_move();
}

bool Connection::Engine::has_round_trip() const {
    ngtcp2_conn_stat native{};
    ngtcp2_conn_get_conn_stat(connection_.get(), &native);
    return native.first_rtt_sample_ts != UINT64_MAX;
}

}  // namespace stile::quic
