// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/quic/limits.hpp>
#include "head_check.hpp"
#include "http3.hpp"
#include "nghttp3_fields.hpp"

#include <algorithm>

// The application's side of HTTP/3: what a Connection's commands come to.
namespace stile::quic {

std::expected<StreamId, RequestError> Http3::request(const RequestHead& head, More body) {
    if (role_ != Role::Client) return std::unexpected(RequestError::NotClient);
    if (!is_started()) return std::unexpected(RequestError::NotReady);
    if (!is_valid(head)) return std::unexpected(RequestError::Invalid);
    StreamId id;
    if (ngtcp2_conn_open_bidi_stream(connection_, &id.value, nullptr) != 0) {
        requests_wanted_ = true;
        return std::unexpected(RequestError::TooMany);
    }
    const auto fields = native_fields(head);
    const nghttp3_data_reader reader = body_reader();
    const int result =
        nghttp3_conn_submit_request(http_.get(), id.value, fields.data(), fields.size(),
                                    body == More::Yes ? &reader : nullptr, nullptr);
    if (result != 0) {
        // The peer has said that it takes no more (GOAWAY).
        ngtcp2_conn_shutdown_stream(connection_, id.value, request_cancelled.value);
        return std::unexpected(RequestError::NotReady);
    }
    streams_[id.value].sending = body == More::Yes ? Sending::Body : Sending::Ended;
    return id;
}

SendResult Http3::respond(StreamId id, const ResponseHead& head, More body) {
    Stream* const stream = find(id.value);
    if (stream == nullptr || stream->sending != Sending::NotBegun) return SendResult::Gone;
    if (!is_valid(head) || (head.is_informational() && body == More::No)) {
        return SendResult::Invalid;
    }
    const std::string status = std::to_string(head.status);
    const auto fields = native_fields(head, status);
    if (head.is_informational()) {
        nghttp3_conn_submit_info(http_.get(), id.value, fields.data(), fields.size());
        return SendResult::Taken;
    }
    const nghttp3_data_reader reader = body_reader();
    const int result = nghttp3_conn_submit_response(
        http_.get(), id.value, fields.data(), fields.size(), body == More::Yes ? &reader : nullptr);
    if (result != 0) return SendResult::Gone;
    stream->sending = body == More::Yes ? Sending::Body : Sending::Ended;
    return SendResult::Taken;
}

SendResult Http3::room(Stream& stream, std::size_t octets) {
    STILE_ASSERT(octets <= most_chunk_octets);
    if (stream.outgoing.unsent() >= most_unsent_octets ||
        unacknowledged_ >= most_unacknowledged_octets) {
        stream.writable_wanted = true;
        return SendResult::Full;
    }
    return SendResult::Taken;
}

void Http3::pushed(std::int64_t id, Stream& stream, std::size_t octets) {
    unacknowledged_ += octets;
    if (stream.outgoing.unsent() >= most_unsent_octets) stream.writable_wanted = true;
    nghttp3_conn_resume_stream(http_.get(), id);
}

SendResult Http3::push(StreamId id, Bytes chunk) {
    Stream* const stream = find_sending(id);
    if (stream == nullptr) return SendResult::Gone;
    const std::size_t octets = chunk.size();
    if (const SendResult result = room(*stream, octets); result != SendResult::Taken) return result;
    stream->outgoing.push(std::move(chunk));
    pushed(id.value, *stream, octets);
    return SendResult::Taken;
}

SendResult Http3::push_borrowed(StreamId id, BytesView chunk) {
    Stream* const stream = find_sending(id);
    if (stream == nullptr) return SendResult::Gone;
    if (const SendResult result = room(*stream, chunk.size()); result != SendResult::Taken) {
        return result;
    }
    stream->outgoing.push_borrowed(chunk);
    pushed(id.value, *stream, chunk.size());
    return SendResult::Taken;
}

SendResult Http3::end_body(StreamId id, const std::vector<Field>& trailers) {
    Stream* const stream = find_sending(id);
    if (stream == nullptr) return SendResult::Gone;
    if (!are_valid(trailers)) return SendResult::Invalid;
    stream->trailers = trailers;
    stream->sending = Sending::Ended;
    nghttp3_conn_resume_stream(http_.get(), id.value);
    return SendResult::Taken;
}

BytesView Http3::body(StreamId id) const {
    const Stream* const stream = find(id.value);
    return stream == nullptr ? BytesView{} : stream->received.unread();
}

void Http3::consume(StreamId id, std::size_t octets) {
    Stream* const stream = find(id.value);
    if (stream == nullptr) return;
    // The peer may have reset the stream since the reader looked.
    const std::size_t consumed = std::min(octets, stream->received.unread().size());
    stream->received.consume(consumed);
    give_back(id.value, consumed);
    tell_if_closed(id.value, *stream);
}

void Http3::reset(StreamId id, ErrorCode code) {
    Stream* const stream = find(id.value);
    if (stream == nullptr || stream->transport_closed) return;
    stream->sending = Sending::Gone;
    stream->receiving = Receiving::Discarded;
    stream->reset_told = true;  // by us: nothing to tell
    discard_unread(*stream);
    ngtcp2_conn_shutdown_stream(connection_, id.value, code.value);
}

}  // namespace stile::quic
