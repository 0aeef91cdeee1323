// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "carrier_run.hpp"

#include <stile/base/machine.hpp>

#include <algorithm>
#include <utility>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::byte octet_at(std::size_t position) {
    return static_cast<std::byte>((position * 7 + position / 251) & 0xFFU);
}

}  // namespace

CarrierRun::CarrierRun(quic::Role role, crypto::RandomStream random)
    : end_(role, std::move(random), 60s) {}

void CarrierRun::change_way(Instant now, std::optional<Duration> round_trip) {
    if (auto& connection = end_.connection()) connection->change_path(now, round_trip);
    end_.set_way(now, round_trip);
}

void CarrierRun::handle_timeout(Instant now) {
    if (next_piece_ && now >= *next_piece_) {
        *next_piece_ += tick;
        push();
    }
    end_.handle_timeout(now);
}

std::optional<Instant> CarrierRun::poll_timeout() const {
    return earlier(end_.poll_timeout(), next_piece_);
}

void CarrierRun::push() {
    Bytes piece(piece_octets);
    for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = octet_at(octets_ + i);
    // What the connection has no room for waits for the next tick.
    if (end_.connection()->push_body(*stream_, Bytes{piece}) == quic::SendResult::Taken) {
        octets_ += piece_octets;
        hasher_.update(piece);
    }
}

void CarrierRun::finish() {
    if (!next_piece_) return;
    next_piece_.reset();
    if (end_.connection()->end_body(*stream_) != quic::SendResult::Taken) {
        problem_ = "no end was taken";
    }
}

Duration CarrierRun::take_longest_silence(Instant now) {
    const Duration longest = std::max(longest_, now - last_read_.value_or(now));
    longest_ = {};
    last_read_ = now;
    return longest;
}

void CarrierRun::read(Instant now, quic::StreamId stream) {
    const BytesView body = end_.connection()->body(stream);
    if (body.empty()) return;
    for (const std::byte octet : body) {
        if (octet != octet_at(octets_++)) problem_ = "an octet is not what was sent";
    }
    hasher_.update(body);
    end_.connection()->consume(stream, body.size());
    if (last_read_) longest_ = std::max(longest_, now - *last_read_);
    last_read_ = now;
}

void CarrierRun::handle(Instant now, const quic::Event& event) {
    namespace e = quic::event;
    if (std::holds_alternative<e::Completed>(event)) {
        if (end_.role() != quic::Role::Client) return;
        const quic::RequestHead head{
            .method = "GET", .scheme = "https", .authority = "bob.example.org", .path = "/"};
        if (!end_.connection()->request(head, quic::More::No)) problem_ = "no request was taken";
    } else if (const auto* const request = std::get_if<e::RequestReceived>(&event)) {
        stream_ = request->stream;
        if (end_.connection()->respond(*stream_, {.status = 200}, quic::More::Yes) !=
            quic::SendResult::Taken) {
            problem_ = "no response was taken";
        }
        next_piece_ = now;
    } else if (const auto* const body = std::get_if<e::BodyReceived>(&event)) {
        read(now, body->stream);
    } else if (const auto* const ended = std::get_if<e::StreamEnded>(&event)) {
        if (end_.role() == quic::Role::Server) return;
        read(now, ended->stream);
        whole_ = true;
    } else if (const auto* const closed = std::get_if<e::Closed>(&event)) {
        problem_ = "QUIC closed: " + std::string{quic::to_text(closed->reason)};
    }
}

}  // namespace stile::sim
