// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/connection.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stile::sim {

// One side of a transfer by HTTP/3 over QUIC on whatever route there is, as apps/stile has it. The
// server sends a piece of the body at each tick, as a live source would; the client reads.
class CarrierRun {
public:
    static constexpr Duration tick = std::chrono::milliseconds{5};
    static constexpr std::size_t piece_octets = 500;

    CarrierRun(quic::Role role, crypto::RandomStream random);

    identity::Fingerprint fingerprint() const { return identity::Fingerprint::of(certificate_); }
    void expect(const identity::Fingerprint& peer) { expected_ = {peer}; }

    // Another way than before, or a way again; a client begins with the first.
    void change_way(Instant now, std::optional<Duration> round_trip);
    void clear_way() { has_way_ = false; }
    void take(Instant now, BytesView payload);
    void handle_timeout(Instant now);
    std::optional<Instant> poll_timeout() const;
    // A server sends no further piece.
    void finish();

    // One step of what is to be done; false when nothing is left. `send` gets each datagram.
    template <class Send>
    bool step(Instant now, Send&& send) {
        if (!connection_) return false;
        if (const auto event = connection_->poll_event()) {
            handle(now, *event);
            return true;
        }
        const auto batch = connection_->poll_transmit(now);
        if (!batch) return false;
        for (BytesView rest = batch->payload; !rest.empty() && has_way_;) {
            const BytesView one =
                rest.first(std::min<std::size_t>(rest.size(), batch->segment_octets));
            rest = rest.subspan(one.size());
            send(one);
        }
        return true;
    }

    std::size_t octets() const { return octets_; }  // given to the body, or read of it
    bool is_whole() const { return whole_; }        // all was read
    std::optional<Instant> last_read() const { return last_read_; }
    // The longest time between two reads, from the start or the last call.
    Duration take_longest_silence(Instant now);
    const std::optional<std::string>& problem() const { return problem_; }

private:
    quic::Config config() const;
    void handle(Instant now, const quic::Event& event);
    void read(Instant now, quic::StreamId stream);
    void push();

    quic::Role role_;
    crypto::RandomStream random_;
    crypto::PrivateKey key_;
    crypto::Certificate certificate_;
    std::vector<identity::Fingerprint> expected_;
    bool has_way_ = false;
    std::optional<Duration> round_trip_;
    std::vector<Bytes> early_;
    std::optional<quic::Connection> connection_;
    std::optional<quic::StreamId> stream_;
    std::optional<Instant> next_piece_;  // of a server
    std::size_t octets_ = 0;
    bool whole_ = false;
    std::optional<Instant> last_read_;
    Duration longest_{};
    std::optional<std::string> problem_;
};

}  // namespace stile::sim
