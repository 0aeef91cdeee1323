// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quic_end.hpp"

#include <optional>
#include <string>
#include <vector>

namespace stile::sim {

// One side's HTTP/3 over QUIC on whatever route there is, as apps/stile has it: a client makes one
// request as soon as it may, a server answers it; and when that was.
class Talker {
public:
    Talker(quic::Role role, crypto::RandomStream random);

    identity::Fingerprint fingerprint() const { return end_.fingerprint(); }
    void expect(const std::vector<identity::Fingerprint>& peer) { end_.expect(peer); }

    // There is a route: a client begins; a server takes what came before.
    void set_route(Instant now, std::optional<Duration> round_trip) {
        end_.set_way(now, round_trip);
    }
    // A datagram of the peer.
    void take(Instant now, BytesView payload) { end_.take(now, payload); }
    void handle_timeout(Instant now) { end_.handle_timeout(now); }
    std::optional<Instant> poll_timeout() const { return end_.poll_timeout(); }

    // One step of what is to be done; false when nothing is left. `send` gets each datagram.
    template <class Send>
    bool step(Instant now, Send&& send) {
        return end_.step(
            now, [&](const quic::Event& event) { handle(now, event); },
            [&](BytesView one) {
                if (speaks_ && !sent_) sent_ = now;
                send(one);
            });
    }

    // The peer's certificate was taken; the first octet of the own message left; the peer's message
    // is here.
    std::optional<Instant> completed() const { return completed_; }
    std::optional<Instant> sent() const { return sent_; }
    std::optional<Instant> received() const { return received_; }
    const std::optional<std::string>& problem() const { return problem_; }

private:
    void handle(Instant now, const quic::Event& event);

    QuicEnd end_;
    bool speaks_ = false;  // the application has given what is to be sent
    std::optional<Instant> completed_;
    std::optional<Instant> sent_;
    std::optional<Instant> received_;
    std::optional<std::string> problem_;
};

}  // namespace stile::sim
