// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/stream.hpp>
#include <stile/ice/connection.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace stile::connect {

// One TCP connection of a connector, from the wish for it on.
struct Stream {
    enum class Use : std::uint8_t {
        Relay,        // to a TURN server; RFC 8656 Section 3.1
        Reflexive,    // to a STUN server; RFC 6544 Section 5.2
        Peer,         // RFC 6544 Section 7
        RelayedPeer,  // to a TURN server, and through it to the peer; RFC 6062
    };
    enum class Phase : std::uint8_t {
        Planned,  // the driver has not been asked for it yet
        Opening,
        Open,
    };

    StreamId id;
    Use use = Use::Peer;
    Phase phase = Phase::Opening;
    Path path;                                    // as asked for; once open, the 4-tuple
    std::optional<ice::ConnectionId> connection;  // of a Peer's
    Bytes inbox;                                  // the beginning of a message
    std::optional<Path> relayed_pair;             // of a RelayedPeer's
    // The 4-tuple that the peer's agent knows it by.
    const Path& pair() const { return relayed_pair ? *relayed_pair : path; }
};

// The streams of one connector, and what is to leave on them. How many there can be follows from
// the limits of servers, listeners and of the ICE agent. References are good until the next
// non-const call.
class StreamTable {
public:
    Stream& add(Stream::Use use, Stream::Phase phase, const Path& path);
    Stream* find(StreamId id);
    Stream* find(ice::ConnectionId connection);
    const Stream* find(ice::ConnectionId connection) const;
    // What was queued for it leaves still.
    void erase(StreamId id);

    void queue(StreamId id, Bytes octets) { queued_.push_back({id, std::move(octets)}); }
    std::size_t queued() const { return queued_.size(); }
    std::optional<StreamTransmit> poll_transmit();

    const std::vector<Stream>& all() const { return streams_; }

private:
    struct Queued {
        StreamId stream;
        Bytes octets;
    };
    std::vector<Stream> streams_;
    std::deque<Queued> queued_;
    Bytes current_;
    std::uint32_t last_id_ = 0;
};

}  // namespace stile::connect
