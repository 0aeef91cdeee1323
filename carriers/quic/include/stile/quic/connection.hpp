// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/quic/acceptor.hpp>
#include <stile/quic/config.hpp>
#include <stile/quic/event.hpp>

#include <expected>
#include <memory>
#include <span>

namespace stile::quic {

// One burst, to be sent in one system call where the system can (UDP_SEGMENT): equal segments, of
// which the last may be shorter.
struct Batch {
    BytesView payload;  // valid until the next non-const call on the connection
    std::size_t segment_octets = 0;
    Ecn ecn = Ecn::NotCapable;

    std::size_t segments() const { return (payload.size() + segment_octets - 1) / segment_octets; }
};

// Whether a message goes on after what is given now.
enum class More : std::uint8_t { Yes, No };

enum class RequestError : std::uint8_t {
    NotClient,  // only the QUIC client asks
    NotReady,   // before Completed, or after the connection closed
    TooMany,    // the peer allows no more at a time: wait for RequestsPossible
    Invalid,  // a head that HTTP/3 cannot say: no method, an upper-case field name, too many fields
};

enum class SendResult : std::uint8_t {
    Taken,
    Full,     // wait for BodyWritable
    Gone,     // there is no such stream, or its message was ended or reset
    Invalid,  // a head that HTTP/3 cannot say
};

struct Statistics {
    Duration smoothed_rtt{};
    Duration least_rtt{};
    std::uint64_t congestion_window = 0;  // octets
    std::uint64_t in_flight = 0;          // octets
    std::size_t datagram_octets = 0;      // what path MTU discovery has reached
    std::uint64_t datagrams_received = 0;
    std::uint64_t datagrams_sent = 0;
};

// HTTP/3 (RFC 9114) over QUIC (RFC 9000) between two peers, each of which shows a certificate and
// expects one whose fingerprint it was told. No sockets, no clock. Random octets come from the
// stream handed in, but for those of TLS, which GnuTLS draws from the operating system: keys differ
// from run to run, and a signature's length, so datagrams may differ by a few octets.
//
// After any input or command: poll_transmit and poll_event until empty, then poll_timeout.
class Connection {
public:
    // A client: its first packet is ready to be sent.
    Connection(Instant now, const Config& config, crypto::RandomStream random);
    // A server: hand it the datagram next of which `initial` was read.
    Connection(Instant now, const Config& config, const Initial& initial,
               crypto::RandomStream random);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    // Inputs. `now` never goes backwards. By which way a datagram came plays no part.
    void handle_datagram(Instant now, BytesView datagram, Ecn ecn = Ecn::NotCapable);
    void handle_timeout(Instant now);

    // Outputs. The second form uses the time of the last input.
    [[nodiscard]] std::optional<Batch> poll_transmit(Instant now,
                                                     std::size_t segments = most_batch_segments);
    [[nodiscard]] std::optional<Batch> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;  // empty: forget the connection

    // Commands of a client.
    [[nodiscard]] std::expected<StreamId, RequestError> request(const RequestHead& head, More body);

    // Commands of a server.
    [[nodiscard]] SendResult respond(StreamId stream, const ResponseHead& head, More body);

    // Commands of both. A chunk is kept until it is acknowledged. A borrowed one is only viewed:
    // its memory must stay, unchanged, until StreamClosed or the connection is destroyed. Requires:
    // at most most_chunk_octets.
    [[nodiscard]] SendResult push_body(StreamId stream, Bytes chunk);
    [[nodiscard]] SendResult push_borrowed(StreamId stream, BytesView chunk);
    // The message ends after what was pushed, with trailer fields if there are any.
    [[nodiscard]] SendResult end_body(StreamId stream, const std::vector<Field>& trailers = {});

    // The unread octets of the peer's body, in order; valid until the next non-const call. The peer
    // may send as much more as is consumed: not consuming is what holds it back.
    [[nodiscard]] BytesView body(StreamId stream) const;
    // More than there is unread is all of it: a reset may have come since the reader looked.
    void consume(StreamId stream, std::size_t octets);

    // What poll_transmit() returns takes another way from now on, one that a connectivity check has
    // shown to work, or a way again after there was none. To be called on both sides, each when its
    // own way changes; the peer need not know. No octet is lost. A client migrates (RFC 9000
    // Section 9), and is told PathChanged or PathFailed; a server looks at once for what was lost,
    // and sends datagrams of the size that fits every way. Not in the handshake, to which a change
    // makes no difference. `round_trip` is the new way's, as far as it is known.
    void change_path(Instant now, std::optional<Duration> round_trip = {});

    // Gives up both messages of a stream. StreamClosed follows.
    void reset_stream(StreamId stream, ErrorCode code);
    // Ends the connection; what is not yet sent is lost. Later calls change nothing.
    void close(Instant now, ErrorCode code, std::string_view text = {});

    // What the peer showed, its own certificate first. Empty before Completed.
    [[nodiscard]] std::span<const crypto::Certificate> peer_certificates() const;
    // Whether a datagram's connection id is one of this connection's. For sockets that several
    // connections share; the addresses play no part.
    [[nodiscard]] bool owns(BytesView datagram) const;
    [[nodiscard]] Role role() const;
    [[nodiscard]] Statistics statistics() const;

private:
    class Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace stile::quic
