// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "http3.hpp"

#include <stile/base/assert.hpp>
#include <stile/quic/limits.hpp>
#include "head_check.hpp"
#include "native.hpp"
#include "nghttp3_fields.hpp"

#include <algorithm>

namespace stile::quic {
namespace {

constexpr std::size_t qpack_table_octets = 4'096;
constexpr std::size_t qpack_blocked_streams = 100;
constexpr std::size_t low_water_octets = most_unsent_octets / 2;

}  // namespace

struct Http3::Hooks {
    static Http3& of(void* user_data) { return *static_cast<Http3*>(user_data); }
    static std::string_view text(nghttp3_rcbuf* buffer) {
        const nghttp3_vec octets = nghttp3_rcbuf_get_buf(buffer);
        return as_text(from_native(octets.base, octets.len));
    }

    static int body(nghttp3_conn*, std::int64_t id, const std::uint8_t* data, std::size_t size,
                    void* self, void*) {
        of(self).handle_body(id, from_native(data, size));
        return 0;
    }
    static int consumed_later(nghttp3_conn*, std::int64_t id, std::size_t octets, void* self,
                              void*) {
        of(self).give_back(id, octets);
        return 0;
    }
    static int begin(nghttp3_conn*, std::int64_t id, void* self, void*) {
        of(self).streams_[id].section = {};
        return 0;
    }
    static int field(nghttp3_conn*, std::int64_t id, std::int32_t, nghttp3_rcbuf* name,
                     nghttp3_rcbuf* value, std::uint8_t, void* self, void*) {
        of(self).handle_field(id, text(name), text(value));
        return 0;
    }
    static int end_head(nghttp3_conn*, std::int64_t id, int, void* self, void*) {
        of(self).handle_head_end(id);
        return 0;
    }
    static int end_trailers(nghttp3_conn*, std::int64_t id, int, void* self, void*) {
        of(self).handle_trailers_end(id);
        return 0;
    }
    static int end_stream(nghttp3_conn*, std::int64_t id, void* self, void*) {
        Stream* const stream = of(self).find(id);
        if (stream != nullptr && stream->receiving == Receiving::Open) {
            stream->receiving = Receiving::Ended;
            of(self).tell(event::StreamEnded{{id}});
        }
        return 0;
    }
    static int stop_sending(nghttp3_conn*, std::int64_t id, std::uint64_t code, void* self, void*) {
        ngtcp2_conn_shutdown_stream_read(of(self).connection_, id, code);
        return 0;
    }
    static int reset_stream(nghttp3_conn*, std::int64_t id, std::uint64_t code, void* self, void*) {
        ngtcp2_conn_shutdown_stream_write(of(self).connection_, id, code);
        return 0;
    }
    static int acknowledged(nghttp3_conn*, std::int64_t id, std::uint64_t octets, void* self,
                            void*) {
        Stream* const stream = of(self).find(id);
        if (stream == nullptr || stream->outgoing.unacknowledged() == 0) return 0;
        stream->outgoing.acknowledge(octets);
        of(self).unacknowledged_ -= octets;
        return 0;
    }
    static nghttp3_ssize read_body(nghttp3_conn*, std::int64_t id, nghttp3_vec* parts,
                                   std::size_t count, std::uint32_t* flags, void* self, void*) {
        return of(self).read_body(id, {parts, count}, *flags);
    }
};

nghttp3_data_reader Http3::body_reader() { return {&Hooks::read_body}; }

Http3::Step Http3::start(ngtcp2_conn* connection) {
    STILE_ASSERT(!is_started());
    connection_ = connection;
    nghttp3_callbacks hooks{};
    hooks.acked_stream_data = &Hooks::acknowledged;
    hooks.recv_data = &Hooks::body;
    hooks.deferred_consume = &Hooks::consumed_later;
    hooks.begin_headers = &Hooks::begin;
    hooks.recv_header = &Hooks::field;
    hooks.end_headers = &Hooks::end_head;
    hooks.begin_trailers = &Hooks::begin;
    hooks.recv_trailer = &Hooks::field;
    hooks.end_trailers = &Hooks::end_trailers;
    hooks.stop_sending = &Hooks::stop_sending;
    hooks.end_stream = &Hooks::end_stream;
    hooks.reset_stream = &Hooks::reset_stream;
    nghttp3_settings settings{};
    nghttp3_settings_default(&settings);
    settings.max_field_section_size = most_field_section_octets;
    settings.qpack_max_dtable_capacity = qpack_table_octets;
    settings.qpack_blocked_streams = qpack_blocked_streams;
    settings.enable_connect_protocol = role_ == Role::Server ? 1 : 0;
    nghttp3_conn* made = nullptr;
    const int result =
        role_ == Role::Server
            ? nghttp3_conn_server_new(&made, &hooks, &settings, nghttp3_mem_default(), this)
            : nghttp3_conn_client_new(&made, &hooks, &settings, nghttp3_mem_default(), this);
    if (result != 0) return fail(result);
    http_.reset(made);
    if (role_ == Role::Server) {
        nghttp3_conn_set_max_client_streams_bidi(made, most_parallel_requests);
    }
    std::array<std::int64_t, 3> ids{};
    for (std::int64_t& id : ids) {
        // A peer that allows fewer than three cannot do HTTP/3. RFC 9114 Section 6.2.
        if (ngtcp2_conn_open_uni_stream(connection, &id, nullptr) != 0) {
            return fail(NGHTTP3_ERR_H3_STREAM_CREATION_ERROR);
        }
    }
    const bool bound = nghttp3_conn_bind_control_stream(made, ids[0]) == 0 &&
                       nghttp3_conn_bind_qpack_streams(made, ids[1], ids[2]) == 0;
    return bound ? Step::Done : fail(NGHTTP3_ERR_H3_INTERNAL_ERROR);
}

// ---- from the transport

Http3::Step Http3::handle_octets(std::int64_t id, BytesView octets, More more) {
    STILE_ASSERT(is_started());
    const auto consumed = nghttp3_conn_read_stream(http_.get(), id, native_data(octets),
                                                   octets.size(), more == More::No ? 1 : 0);
    if (consumed < 0) return fail(static_cast<int>(consumed));
    give_back(id, static_cast<std::size_t>(consumed));
    return Step::Done;
}

Http3::Step Http3::handle_acknowledged(std::int64_t id, std::uint64_t octets) {
    const bool was_full = unacknowledged_ >= most_unacknowledged_octets;
    const int result = nghttp3_conn_add_ack_offset(http_.get(), id, octets);
    if (result != 0) return fail(result);
    if (was_full && unacknowledged_ < most_unacknowledged_octets) {
        for (auto& [other, stream] : streams_) tell_if_writable(other, stream);
    }
    return Step::Done;
}

Http3::Step Http3::handle_stream_closed(std::int64_t id, std::optional<ErrorCode> code) {
    const int result = nghttp3_conn_close_stream(http_.get(), id, code.value_or(no_error).value);
    if (result != 0 && result != NGHTTP3_ERR_STREAM_NOT_FOUND) return fail(result);
    Stream* const stream = find(id);
    if (stream == nullptr) {
        if (role_ == Role::Server && ngtcp2_is_bidi_stream(id) != 0) {
            ngtcp2_conn_extend_max_streams_bidi(connection_, 1);
        }
        return Step::Done;
    }
    stream->transport_closed = true;
    stream->sending = Sending::Gone;
    forget_outgoing(*stream);
    // That the peer wants no more of our message comes to light only here. No error means that a
    // server has answered without the rest of the question. RFC 9114 Section 4.1.
    if (stream->receiving == Receiving::Open || code.value_or(no_error) != no_error) {
        tell_reset(id, *stream, code.value_or(no_error));
    }
    tell_if_closed(id, *stream);
    return Step::Done;
}

void Http3::handle_stream_reset(std::int64_t id, ErrorCode code) {
    nghttp3_conn_shutdown_stream_read(http_.get(), id);
    if (Stream* const stream = find(id)) tell_reset(id, *stream, code);
}

void Http3::handle_reading_stopped(std::int64_t id) {
    nghttp3_conn_shutdown_stream_read(http_.get(), id);
}

void Http3::handle_more_requests_allowed() {
    if (!std::exchange(requests_wanted_, false)) return;
    tell(event::RequestsPossible{});
}

void Http3::handle_more_stream_data_allowed(std::int64_t id) {
    nghttp3_conn_unblock_stream(http_.get(), id);
}

void Http3::handle_more_peer_requests_allowed(std::uint64_t count) {
    nghttp3_conn_set_max_client_streams_bidi(http_.get(), count);
}

void Http3::handle_body(std::int64_t id, BytesView octets) {
    Stream* const stream = find(id);
    if (stream == nullptr || stream->receiving == Receiving::Discarded) {
        give_back(id, octets.size());
        return;
    }
    stream->received.append(octets);
    if (!std::exchange(stream->body_event_queued, true)) tell(event::BodyReceived{{id}});
}

void Http3::handle_field(std::int64_t id, std::string_view name, std::string_view value) {
    Stream* const stream = find(id);
    if (stream == nullptr || stream->receiving != Receiving::Open) return;
    FieldSection& section = stream->section;
    section.octets += counted_octets(name, value);
    if (section.octets > most_field_section_octets || section.fields.size() >= most_fields) {
        reset({id}, excessive_load);
        return;
    }
    read_field(name, value, section);
}

void Http3::handle_head_end(std::int64_t id) {
    Stream* const stream = find(id);
    if (stream == nullptr || stream->receiving != Receiving::Open) return;
    FieldSection section = std::exchange(stream->section, {});
    if (role_ == Role::Server) {
        section.request.fields = std::move(section.fields);
        tell(event::RequestReceived{.stream = {id}, .head = std::move(section.request)});
        return;
    }
    const ResponseHead head{.status = section.status, .fields = std::move(section.fields)};
    if (head.is_informational() &&
        ++stream->informational_responses > most_informational_responses) {
        reset({id}, excessive_load);
        return;
    }
    tell(event::ResponseReceived{.stream = {id}, .head = head});
}

void Http3::handle_trailers_end(std::int64_t id) {
    Stream* const stream = find(id);
    if (stream == nullptr || stream->receiving != Receiving::Open) return;
    FieldSection section = std::exchange(stream->section, {});
    tell(event::TrailersReceived{.stream = {id}, .fields = std::move(section.fields)});
}

// ---- to the transport

std::expected<Http3::Outgoing, ErrorCode> Http3::next_outgoing() {
    for (;;) {
        submit_trailers();
        Outgoing outgoing;
        int last = 0;
        const auto count = nghttp3_conn_writev_stream(http_.get(), &outgoing.stream, &last,
                                                      outgoing.parts.data(), outgoing.parts.size());
        if (count < 0) {
            (void)fail(static_cast<int>(count));
            return std::unexpected(failure_);
        }
        if (outgoing.stream < 0 && !trailers_due_.empty()) continue;
        outgoing.last = last != 0;
        outgoing.count = static_cast<std::size_t>(count);
        return outgoing;
    }
}

void Http3::submit_trailers() {
    for (const std::int64_t id : std::exchange(trailers_due_, {})) {
        const Stream* const stream = find(id);
        if (stream == nullptr || stream->sending != Sending::Ended) continue;
        const auto fields = native_fields(stream->trailers);
        nghttp3_conn_submit_trailers(http_.get(), id, fields.data(), fields.size());
    }
}

void Http3::sent(std::int64_t id, std::size_t octets) {
    nghttp3_conn_add_write_offset(http_.get(), id, octets);
}

void Http3::blocked(std::int64_t id) { nghttp3_conn_block_stream(http_.get(), id); }

void Http3::sending_shut(std::int64_t id) {
    nghttp3_conn_shutdown_stream_write(http_.get(), id);
    if (Stream* const stream = find(id)) stream->sending = Sending::Gone;
}

nghttp3_ssize Http3::read_body(std::int64_t id, std::span<nghttp3_vec> parts,
                               std::uint32_t& flags) {
    Stream* const stream = find(id);
    STILE_ASSERT(stream != nullptr);
    std::array<BytesView, 16> views{};
    const std::size_t count =
        stream->outgoing.take(std::span{views}.first(std::min(parts.size(), views.size())));
    for (std::size_t i = 0; i < count; ++i) {
        // The interface predates const; it only reads.
        parts[i] = {const_cast<std::uint8_t*>(native_data(views[i])), views[i].size()};
    }
    tell_if_writable(id, *stream);
    if (stream->sending == Sending::Body) {
        return count > 0 ? static_cast<nghttp3_ssize>(count) : NGHTTP3_ERR_WOULDBLOCK;
    }
    if (stream->outgoing.unsent() == 0) {
        flags |= NGHTTP3_DATA_FLAG_EOF;
        if (!stream->trailers.empty()) {
            flags |= NGHTTP3_DATA_FLAG_NO_END_STREAM;
            trailers_due_.push_back(id);  // the library cannot be given them from within a call
        }
    }
    return static_cast<nghttp3_ssize>(count);
}

// ---- events

void Http3::tell(Event event) {
    // A peer that moves to and fro fills no queue: only the last place counts.
    const bool moved = std::holds_alternative<event::PathChanged>(event);
    if (moved && !events_.empty() && std::holds_alternative<event::PathChanged>(events_.back())) {
        events_.back() = std::move(event);
        return;
    }
    events_.push_back(std::move(event));
}

std::optional<Event> Http3::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event next = std::move(events_.front());
    events_.pop_front();
    if (const auto* const readable = std::get_if<event::BodyReceived>(&next)) {
        if (Stream* const stream = find(readable->stream.value)) stream->body_event_queued = false;
    } else if (const auto* const writable = std::get_if<event::BodyWritable>(&next)) {
        if (Stream* const stream = find(writable->stream.value)) {
            stream->writable_event_queued = false;
        }
    } else if (const auto* const closed = std::get_if<event::StreamClosed>(&next)) {
        forget(closed->stream.value);
    }
    return next;
}

// ---- shared

Stream* Http3::find(std::int64_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
}

const Stream* Http3::find(std::int64_t id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
}

Stream* Http3::find_sending(StreamId id) {
    Stream* const stream = find(id.value);
    return stream != nullptr && stream->sending == Sending::Body ? stream : nullptr;
}

void Http3::give_back(std::int64_t id, std::size_t octets) {
    if (octets == 0) return;
    ngtcp2_conn_extend_max_stream_offset(connection_, id, octets);
    ngtcp2_conn_extend_max_offset(connection_, octets);
}

void Http3::discard_unread(Stream& stream) {
    // The stream's window is of no use to anybody any more, the connection's is.
    if (const std::size_t dropped = stream.received.clear(); dropped > 0) {
        ngtcp2_conn_extend_max_offset(connection_, dropped);
    }
}

void Http3::tell_reset(std::int64_t id, Stream& stream, ErrorCode code) {
    if (stream.receiving == Receiving::Open) stream.receiving = Receiving::Discarded;
    discard_unread(stream);
    if (!std::exchange(stream.reset_told, true)) {
        tell(event::StreamReset{.stream = {id}, .code = code});
    }
}

void Http3::tell_if_writable(std::int64_t id, Stream& stream) {
    if (!stream.writable_wanted || stream.writable_event_queued ||
        stream.sending != Sending::Body || stream.outgoing.unsent() > low_water_octets ||
        unacknowledged_ >= most_unacknowledged_octets) {
        return;
    }
    stream.writable_wanted = false;
    stream.writable_event_queued = true;
    tell(event::BodyWritable{{id}});
}

void Http3::tell_if_closed(std::int64_t id, Stream& stream) {
    if (!stream.transport_closed || !stream.received.unread().empty()) return;
    if (!std::exchange(stream.closed_event_queued, true)) tell(event::StreamClosed{{id}});
}

void Http3::forget_outgoing(Stream& stream) {
    unacknowledged_ -= stream.outgoing.unacknowledged();
    stream.outgoing.clear();
}

void Http3::forget(std::int64_t id) {
    if (streams_.erase(id) == 0) return;
    // Only now may the peer ask again: what is not polled stays bounded.
    if (role_ == Role::Server) ngtcp2_conn_extend_max_streams_bidi(connection_, 1);
}

Http3::Step Http3::fail(int error) {
    failure_ = {nghttp3_err_infer_quic_app_error_code(error)};
    failure_text_ = nghttp3_strerror(error);
    return Step::Failed;
}

}  // namespace stile::quic
