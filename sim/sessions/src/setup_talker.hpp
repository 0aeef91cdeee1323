// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/connection.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace stile::sim {

// One side's HTTP/3 over QUIC on whatever route there is, as apps/stile has it: a client makes one
// request as soon as it may, a server answers it; and when that was.
class Talker {
public:
    Talker(quic::Role role, crypto::RandomStream random);

    identity::Fingerprint fingerprint() const { return identity::Fingerprint::of(certificate_); }
    void expect(const std::vector<identity::Fingerprint>& peer) { expected_ = peer; }

    // There is a route: a client begins; a server takes what came before.
    void set_route(Instant now, std::optional<Duration> round_trip);
    // A datagram of the peer.
    void take(Instant now, BytesView payload);
    void handle_timeout(Instant now);
    std::optional<Instant> poll_timeout() const;

    // One step of what is to be done; false when nothing is left. `send` gets each datagram.
    template <class Send>
    bool step(Instant now, Send&& send) {
        if (!connection_ || !has_route_) return false;
        // Events first: what they bring about leaves with what was to be sent anyway.
        if (const auto event = connection_->poll_event()) {
            handle(now, *event);
            return true;
        }
        const auto batch = connection_->poll_transmit(now);
        if (!batch) return false;
        if (speaks_ && !sent_) sent_ = now;
        for (BytesView rest = batch->payload; !rest.empty();) {
            const BytesView one = rest.first(std::min(rest.size(), batch->segment_octets));
            rest = rest.subspan(one.size());
            send(one);
        }
        return true;
    }

    // The peer's certificate was taken; the first octet of the own message left; the peer's message
    // is here.
    std::optional<Instant> completed() const { return completed_; }
    std::optional<Instant> sent() const { return sent_; }
    std::optional<Instant> received() const { return received_; }
    const std::optional<std::string>& problem() const { return problem_; }

private:
    quic::Config config() const;
    void handle(Instant now, const quic::Event& event);

    quic::Role role_;
    crypto::RandomStream random_;
    crypto::PrivateKey key_;
    crypto::Certificate certificate_;
    std::vector<identity::Fingerprint> expected_;
    bool has_route_ = false;
    std::optional<Duration> round_trip_;
    std::vector<Bytes> early_;  // nothing may be sent without a route, and so nothing answered
    std::optional<quic::Connection> connection_;
    bool speaks_ = false;  // the application has given what is to be sent
    std::optional<Instant> completed_;
    std::optional<Instant> sent_;
    std::optional<Instant> received_;
    std::optional<std::string> problem_;
};

}  // namespace stile::sim
