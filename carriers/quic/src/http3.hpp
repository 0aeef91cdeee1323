// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/config.hpp>
#include <stile/quic/connection.hpp>
#include "stream.hpp"

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>
#include <deque>
#include <map>

namespace stile::quic {

// HTTP/3 on the streams of one QUIC connection: what nghttp3 needs around it, the bodies of both
// directions, and the queue of events. It stays where it is made.
class Http3 {
public:
    explicit Http3(Role role) : role_(role) {}
    Http3(const Http3&) = delete;
    Http3& operator=(const Http3&) = delete;

    enum class Step : std::uint8_t { Done, Failed };

    // Once the handshake is complete: opens the control and QPACK streams.
    Step start(ngtcp2_conn* connection);
    bool is_started() const { return http_ != nullptr; }
    bool is_idle() const { return streams_.empty(); }

    // From the transport. After Failed the connection must be closed with failure().
    Step handle_octets(std::int64_t id, BytesView octets, More more);
    Step handle_acknowledged(std::int64_t id, std::uint64_t octets);
    Step handle_stream_closed(std::int64_t id, std::optional<ErrorCode> code);
    void handle_stream_reset(std::int64_t id, ErrorCode code);
    void handle_reading_stopped(std::int64_t id);
    void handle_more_requests_allowed();
    void handle_more_stream_data_allowed(std::int64_t id);
    void handle_more_peer_requests_allowed(std::uint64_t count);
    ErrorCode failure() const { return failure_; }
    std::string_view failure_text() const { return failure_text_; }

    // To the transport.
    struct Outgoing {
        std::int64_t stream = -1;  // -1: nothing
        bool last = false;
        std::array<nghttp3_vec, 16> parts;  // the first `count` are set
        std::size_t count = 0;
    };
    std::expected<Outgoing, ErrorCode> next_outgoing();
    void sent(std::int64_t id, std::size_t octets);
    void blocked(std::int64_t id);
    void sending_shut(std::int64_t id);

    // Commands.
    std::expected<StreamId, RequestError> request(const RequestHead& head, More body);
    SendResult respond(StreamId id, const ResponseHead& head, More body);
    SendResult push(StreamId id, Bytes chunk);
    SendResult push_borrowed(StreamId id, BytesView chunk);
    SendResult end_body(StreamId id, const std::vector<Field>& trailers);
    BytesView body(StreamId id) const;
    void consume(StreamId id, std::size_t octets);
    void reset(StreamId id, ErrorCode code);

    // The connection's own events go through the same queue.
    void tell(Event event);
    std::optional<Event> poll_event();

private:
    struct Hooks;
    struct FreeHttp {
        void operator()(nghttp3_conn* http) const { nghttp3_conn_del(http); }
    };
    static nghttp3_data_reader body_reader();
    Stream* find(std::int64_t id);
    const Stream* find(std::int64_t id) const;
    Stream* find_sending(StreamId id);
    SendResult room(Stream& stream, std::size_t octets);
    void pushed(std::int64_t id, Stream& stream, std::size_t octets);
    void handle_body(std::int64_t id, BytesView octets);
    void handle_field(std::int64_t id, std::string_view name, std::string_view value);
    void handle_head_end(std::int64_t id);
    void handle_trailers_end(std::int64_t id);
    nghttp3_ssize read_body(std::int64_t id, std::span<nghttp3_vec> parts, std::uint32_t& flags);
    void submit_trailers();
    void give_back(std::int64_t id, std::size_t octets);
    void discard_unread(Stream& stream);
    void tell_reset(std::int64_t id, Stream& stream, ErrorCode code);
    void tell_if_writable(std::int64_t id, Stream& stream);
    void tell_if_closed(std::int64_t id, Stream& stream);
    void forget_outgoing(Stream& stream);
    void forget(std::int64_t id);
    Step fail(int error);

    Role role_;
    ngtcp2_conn* connection_ = nullptr;
    std::unique_ptr<nghttp3_conn, FreeHttp> http_;
    std::map<std::int64_t, Stream> streams_;
    std::deque<Event> events_;
    std::size_t unacknowledged_ = 0;  // of all streams
    std::vector<std::int64_t> trailers_due_;
    bool requests_wanted_ = false;
    ErrorCode failure_ = internal_error;
    std::string_view failure_text_;
};

}  // namespace stile::quic
