// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The path's TCP connections, which the driver holds.
#include <stile/session/http_session.hpp>

namespace stile::session {

void HttpSession::handle_stream_opened(Instant now, connect::StreamId stream, const Path& path) {
    path_.handle_stream_opened(now, stream, path);
    see(now);
}

void HttpSession::handle_stream_failed(Instant now, connect::StreamId stream,
                                       ice::ConnectFailure failure) {
    path_.handle_stream_failed(now, stream, failure);
    see(now);
}

std::optional<connect::StreamId> HttpSession::handle_stream_accepted(Instant now,
                                                                     const Path& path) {
    const auto stream = path_.handle_stream_accepted(now, path);
    see(now);
    return stream;
}

void HttpSession::handle_stream_bytes(Instant now, connect::StreamId stream, BytesView bytes) {
    path_.handle_stream_bytes(now, stream, bytes);
    see(now);
}

void HttpSession::handle_stream_closed(Instant now, connect::StreamId stream) {
    path_.handle_stream_closed(now, stream);
    see(now);
}

void HttpSession::note_stream(StreamNews news) {
    if (streams_.size() < limits::most_stream_news) streams_.push_back(std::move(news));
}

}  // namespace stile::session
