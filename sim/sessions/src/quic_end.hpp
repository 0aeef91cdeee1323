// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/connection.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace stile::sim {

// One side's QUIC on whatever way there is, with a key and a certificate of its own. A client
// begins with the first way, a server with the first datagram.
class QuicEnd {
public:
    QuicEnd(quic::Role role, crypto::RandomStream random, Duration idle_timeout);

    quic::Role role() const { return role_; }
    identity::Fingerprint fingerprint() const { return identity::Fingerprint::of(certificate_); }
    void expect(const std::vector<identity::Fingerprint>& peer) { expected_ = peer; }

    // There is a way: what came before is taken.
    void set_way(Instant now, std::optional<Duration> round_trip);
    // What is to be sent is lost until there is one again.
    void clear_way() { has_way_ = false; }
    // A datagram of the peer.
    void take(Instant now, BytesView payload);
    void handle_timeout(Instant now);
    std::optional<Instant> poll_timeout() const;
    // Empty before the beginning.
    std::optional<quic::Connection>& connection() { return connection_; }

    // One step of what is to be done; false when nothing is left. `handle` gets each event, `send`
    // each datagram.
    template <class Handle, class Send>
    bool step(Instant now, Handle&& handle, Send&& send) {
        if (!connection_) return false;
        // Events first: what they bring about leaves with what was to be sent anyway.
        if (const auto event = connection_->poll_event()) {
            handle(*event);
            return true;
        }
        const auto batch = connection_->poll_transmit(now);
        if (!batch) return false;
        for (BytesView rest = batch->payload; !rest.empty() && has_way_;) {
            const BytesView one = rest.first(std::min(rest.size(), batch->segment_octets));
            rest = rest.subspan(one.size());
            send(one);
        }
        return true;
    }

private:
    quic::Config config() const;

    quic::Role role_;
    crypto::RandomStream random_;
    Duration idle_timeout_;
    crypto::PrivateKey key_;
    crypto::Certificate certificate_;
    std::vector<identity::Fingerprint> expected_;
    bool has_way_ = false;
    std::optional<Duration> round_trip_;
    std::vector<Bytes> early_;  // nothing may be sent without a way, and so nothing answered
    std::optional<quic::Connection> connection_;
};

}  // namespace stile::sim
