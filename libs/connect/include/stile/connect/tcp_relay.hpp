// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/stream.hpp>
#include <stile/turn/client.hpp>

#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace stile::connect {

// One TCP allocation of a TURN server, and the connections through it: RFC 6062. The caller opens
// streams to the server, one for control and one for each connection with a peer, and names the
// latter.
class TcpRelay {
public:
    struct Allocated {
        SocketAddress relayed;
        SocketAddress mapped;
    };
    // There is none, or no longer: close all its streams.
    struct Lost {
        turn::Failure failure;
    };
    // Given back, as release() wanted.
    struct Released {};
    // A permitted peer has connected to the relayed address: accept(), or do nothing and it is
    // refused.
    struct Attempted {
        SocketAddress peer;
        turn::ConnectionId connection;
    };
    // The server has a connection for connect(): open this stream now.
    struct StreamDue {
        StreamId stream;
    };
    // All that comes on it from now on is the peer's, and the other way round.
    struct Bound {
        StreamId stream;
        SocketAddress peer;
    };
    // It is known here no longer: close it, if it was opened.
    struct Failed {
        StreamId stream;
        turn::Failure failure;
    };
    using Event = std::variant<Allocated, Lost, Released, Attempted, StreamDue, Bound, Failed>;
    // Absent: on the control stream. Valid until the next non-const call.
    struct Outgoing {
        std::optional<StreamId> stream;
        BytesView octets;
    };

    // The control stream is open. Requires: config.protocol is Tcp.
    TcpRelay(Instant now, turn::ClientConfig config, crypto::RandomStream random);

    // One whole message of the control stream.
    void handle_message(Instant now, BytesView message);
    // The control stream is gone.
    void handle_unreachable(Instant now);
    void handle_timeout(Instant now);

    void permit(Instant now, const IpAddress& peer);
    void forget(const IpAddress& peer) { client_.forget(peer); }
    // StreamDue or Failed follows.
    void connect(Instant now, StreamId stream, const SocketAddress& peer);
    // The stream is being opened. False where there are too many.
    bool accept(Instant now, StreamId stream, const Attempted& attempt);
    void handle_stream_opened(Instant now, StreamId stream);
    // Returns what of it is the peer's, a view into `octets`. Bound comes before.
    [[nodiscard]] BytesView handle_octets(Instant now, StreamId stream, BytesView octets);
    // The stream is closed, or wanted no longer; nothing more is said of it.
    void drop(StreamId stream);
    bool is_bound(StreamId stream) const;
    // Gives the allocation back; Released or Lost follows.
    void release(Instant now);

    std::optional<Outgoing> poll_transmit();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

private:
    enum class Phase : std::uint8_t { Connecting, Opening, Binding, Bound };
    struct Link {
        StreamId stream;
        SocketAddress peer;
        Phase phase = Phase::Connecting;
        std::optional<turn::ConnectionId> connection = {};
        std::optional<turn::DataConnection> binding = {};
        std::optional<Instant> deadline = {};  // to be bound
    };
    struct Queued {
        StreamId stream;
        Bytes octets;
    };

    Link* find(StreamId stream);
    Link* find_connecting(const SocketAddress& peer);
    void collect(Instant now);
    void collect(Link& link);
    void fail(StreamId stream, turn::Failure failure);

    turn::Client client_;
    std::vector<Link> links_;
    std::deque<Queued> queue_;
    Bytes current_;
    std::deque<Event> events_;
};

}  // namespace stile::connect
