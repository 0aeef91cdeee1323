// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "setup_talker.hpp"

#include <utility>

namespace stile::sim {
namespace {

constexpr std::size_t most_early = 8;

}  // namespace

Talker::Talker(quic::Role role, crypto::RandomStream random)
    : role_(role),
      random_(std::move(random)),
      key_(crypto::PrivateKey::from_entropy(random_.array<48>())),
      certificate_(crypto::make_self_signed(
          key_, {.names = {.common_name = "peer"}, .serial = random_.array<16>()})) {}

quic::Config Talker::config() const {
    return {.credentials = {.key = key_, .chain = {certificate_}, .expected = expected_},
            .initial_rtt = round_trip_};
}

void Talker::set_route(Instant now, std::optional<Duration> round_trip) {
    has_route_ = true;
    round_trip_ = round_trip;
    if (!connection_ && role_ == quic::Role::Client) {
        connection_.emplace(now, config(), random_.fork());
    }
    for (const Bytes& payload : std::exchange(early_, {})) take(now, payload);
}

void Talker::take(Instant now, BytesView payload) {
    if (!has_route_) {
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

void Talker::handle_timeout(Instant now) {
    const auto due = poll_timeout();
    if (due && *due <= now) connection_->handle_timeout(now);
}

std::optional<Instant> Talker::poll_timeout() const {
    return connection_ ? connection_->poll_timeout() : std::nullopt;
}

void Talker::handle(Instant now, const quic::Event& event) {
    const auto say = [&](bool taken) {
        if (!taken) problem_ = "HTTP/3 did not take the message";
        speaks_ = true;
    };
    if (std::holds_alternative<quic::event::Completed>(event)) {
        completed_ = now;
        if (role_ != quic::Role::Client) return;
        const quic::RequestHead head{
            .method = "GET", .scheme = "https", .authority = "bob.example.org", .path = "/"};
        say(connection_->request(head, quic::More::No).has_value());
    } else if (const auto* const request = std::get_if<quic::event::RequestReceived>(&event)) {
        received_ = now;
        say(connection_->respond(request->stream, {.status = 204}, quic::More::No) ==
            quic::SendResult::Taken);
    } else if (std::holds_alternative<quic::event::ResponseReceived>(event)) {
        received_ = now;
    } else if (const auto* const closed = std::get_if<quic::event::Closed>(&event)) {
        problem_ = "QUIC closed: " + std::string{quic::to_text(closed->reason)};
    }
}

}  // namespace stile::sim
