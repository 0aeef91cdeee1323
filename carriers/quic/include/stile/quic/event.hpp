// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/http_head.hpp>

#include <compare>
#include <variant>

namespace stile::quic {

// One request and its response.
struct StreamId {
    std::int64_t value = 0;
    friend auto operator<=>(StreamId, StreamId) = default;
};

// HTTP/3's error codes that an application has use for. RFC 9114 Section 8.1.
struct ErrorCode {
    std::uint64_t value = 0;
    friend auto operator<=>(ErrorCode, ErrorCode) = default;
};
inline constexpr ErrorCode no_error{0x100};
inline constexpr ErrorCode internal_error{0x102};
inline constexpr ErrorCode excessive_load{0x107};
inline constexpr ErrorCode request_rejected{0x10b};
inline constexpr ErrorCode request_cancelled{0x10c};
inline constexpr ErrorCode message_error{0x10e};
inline constexpr ErrorCode connect_error{0x10f};

enum class CloseReason : std::uint8_t {
    ClosedHere,           // close() was called
    ClosedByPeer,         // the peer's application closed; the code is HTTP/3's
    FingerprintMismatch,  // the peer's certificate is not the one that the signalling told
    NoPeerCertificate,    // the peer showed none, or none that can be read
    RefusedByPeer,        // the peer did not take our certificate; the code is TLS's alert
    IdleTimeout,          // nothing came for too long
    HandshakeTimeout,     // no handshake within its time
    PeerBrokeProtocol,  // we closed because of what the peer sent; the code is the one that we gave
    PeerReportedError,  // the peer says that we broke QUIC or TLS; the code is its transport error
    PeerLostState,      // a stateless reset: the peer has forgotten this connection
    Internal,           // memory, or a mistake of ours
};

namespace event {

// This side has taken the peer's certificate. A client may send requests now; the server has not
// yet judged the client's certificate.
struct Completed {};

// Both sides have taken each other's certificates: connected.
struct Confirmed {};

struct RequestReceived {
    StreamId stream;
    RequestHead head;
};
// Also informational responses, several of them before the final one.
struct ResponseReceived {
    StreamId stream;
    ResponseHead head;
};
// There are unread octets: see body() and consume(). Comes again only after it was polled.
struct BodyReceived {
    StreamId stream;
};
struct TrailersReceived {
    StreamId stream;
    std::vector<Field> fields;
};
// The peer's message is complete. Unread octets of its body may be left.
struct StreamEnded {
    StreamId stream;
};
// The peer gave its message up, or asked us to give up ours. Unread octets are gone.
struct StreamReset {
    StreamId stream;
    ErrorCode code;
};
// push_body() takes more.
struct BodyWritable {
    StreamId stream;
};
// Both messages are done, all is acknowledged and read: borrowed memory is free, the id is
// forgotten. On a connection that closes, streams end without it.
struct StreamClosed {
    StreamId stream;
};
// More requests may be made than when request() was refused last.
struct RequestsPossible {};
// Of a client: the peer has answered on the way that change_path() brought.
struct PathChanged {};
// It has not, within three probe timeouts. The connection goes on, and asks once more as soon as it
// hears of the peer.
struct PathFailed {};
// The last event. The machine may still want to send and to be woken: until poll_timeout() is empty
// it answers what arrives late. RFC 9000 Section 10.2.
struct Closed {
    CloseReason reason;
    std::uint64_t code;
    std::string text;  // for people, at most most_reason_octets; the peer's words are the peer's
};

}  // namespace event

using Event =
    std::variant<event::Completed, event::Confirmed, event::RequestReceived,
                 event::ResponseReceived, event::BodyReceived, event::TrailersReceived,
                 event::StreamEnded, event::StreamReset, event::BodyWritable, event::StreamClosed,
                 event::RequestsPossible, event::PathChanged, event::PathFailed, event::Closed>;

std::string_view to_text(CloseReason reason);

}  // namespace stile::quic
