// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quic_end.hpp"

#include <stile/crypto/digest.hpp>

#include <optional>
#include <string>

namespace stile::sim {

// One side of a transfer by HTTP/3 over QUIC on whatever route there is, as apps/stile has it. The
// server sends a piece of the body at each tick, as a live source would; the client reads.
class CarrierRun {
public:
    static constexpr Duration tick = std::chrono::milliseconds{5};
    static constexpr std::size_t piece_octets = 500;

    CarrierRun(quic::Role role, crypto::RandomStream random);

    identity::Fingerprint fingerprint() const { return end_.fingerprint(); }
    void expect(const identity::Fingerprint& peer) { end_.expect({peer}); }

    // Another way than before, or a way again; a client begins with the first.
    void change_way(Instant now, std::optional<Duration> round_trip);
    void clear_way() { end_.clear_way(); }
    void take(Instant now, BytesView payload) { end_.take(now, payload); }
    void handle_timeout(Instant now);
    std::optional<Instant> poll_timeout() const;
    // A server sends no further piece.
    void finish();

    // One step of what is to be done; false when nothing is left. `send` gets each datagram.
    template <class Send>
    bool step(Instant now, Send&& send) {
        return end_.step(now, [&](const quic::Event& event) { handle(now, event); }, send);
    }

    std::size_t octets() const { return octets_; }             // given to the body, or read of it
    crypto::Digest take_sha256() { return hasher_.finish(); }  // of the same, once
    bool is_whole() const { return whole_; }                   // all was read
    std::optional<Instant> last_read() const { return last_read_; }
    // The longest time between two reads, from the start or the last call.
    Duration take_longest_silence(Instant now);
    const std::optional<std::string>& problem() const { return problem_; }

private:
    void handle(Instant now, const quic::Event& event);
    void read(Instant now, quic::StreamId stream);
    void push();

    QuicEnd end_;
    std::optional<quic::StreamId> stream_;
    std::optional<Instant> next_piece_;  // of a server
    std::size_t octets_ = 0;
    crypto::Hasher hasher_{crypto::DigestAlgorithm::Sha256};
    bool whole_ = false;
    std::optional<Instant> last_read_;
    Duration longest_{};
    std::optional<std::string> problem_;
};

}  // namespace stile::sim
