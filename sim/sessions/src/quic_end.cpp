// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "quic_end.hpp"

#include <utility>

namespace stile::sim {
namespace {

constexpr std::size_t most_early = 8;

}  // namespace

QuicEnd::QuicEnd(quic::Role role, crypto::RandomStream random, Duration idle_timeout)
    : role_(role),
      random_(std::move(random)),
      idle_timeout_(idle_timeout),
      key_(crypto::PrivateKey::from_entropy(random_.array<48>())),
      certificate_(crypto::make_self_signed(
          key_, {.names = {.common_name = "peer"}, .serial = random_.array<16>()})) {}

quic::Config QuicEnd::config() const {
    return {.credentials = {.key = key_, .chain = {certificate_}, .expected = expected_},
            .initial_rtt = round_trip_,
            .idle_timeout = idle_timeout_};
}

void QuicEnd::set_way(Instant now, std::optional<Duration> round_trip) {
    has_way_ = true;
    round_trip_ = round_trip;
    if (!connection_ && role_ == quic::Role::Client) {
        connection_.emplace(now, config(), random_.fork());
    }
    for (const Bytes& payload : std::exchange(early_, {})) take(now, payload);
}

void QuicEnd::take(Instant now, BytesView payload) {
    if (!connection_ && !has_way_) {
        if (early_.size() < most_early) early_.push_back(to_bytes(payload));
        return;
    }
    if (!connection_) {
        const auto initial = quic::read_initial(payload);
        if (!initial) return;
        connection_.emplace(now, config(), *initial, random_.fork());
    }
    connection_->handle_datagram(now, payload);
}

void QuicEnd::handle_timeout(Instant now) {
    const auto due = poll_timeout();
    if (due && *due <= now) connection_->handle_timeout(now);
}

std::optional<Instant> QuicEnd::poll_timeout() const {
    return connection_ ? connection_->poll_timeout() : std::nullopt;
}

}  // namespace stile::sim
