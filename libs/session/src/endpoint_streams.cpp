// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The TCP connections of sessions' paths.
#include <stile/session/endpoint.hpp>

namespace stile::session {

HttpSession* Endpoint::running(SessionId session) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.session) return nullptr;
    return &*found->second.session;
}

void Endpoint::handle_stream_opened(Instant now, SessionId session, connect::StreamId stream,
                                    const Path& path) {
    HttpSession* const to = running(session);
    if (to == nullptr) return;
    to->handle_stream_opened(now, stream, path);
    see(now);
}

void Endpoint::handle_stream_failed(Instant now, SessionId session, connect::StreamId stream,
                                    ice::ConnectFailure failure) {
    HttpSession* const to = running(session);
    if (to == nullptr) return;
    to->handle_stream_failed(now, stream, failure);
    see(now);
}

std::optional<connect::StreamId> Endpoint::handle_stream_accepted(Instant now, SessionId session,
                                                                  const Path& path) {
    HttpSession* const to = running(session);
    if (to == nullptr) return std::nullopt;
    const auto stream = to->handle_stream_accepted(now, path);
    see(now);
    return stream;
}

void Endpoint::handle_stream_bytes(Instant now, SessionId session, connect::StreamId stream,
                                   BytesView bytes) {
    HttpSession* const to = running(session);
    if (to == nullptr) return;
    to->handle_stream_bytes(now, stream, bytes);
    see(now);
}

std::optional<connect::Received> Endpoint::poll_received(SessionId session) {
    HttpSession* const from = running(session);
    return from == nullptr ? std::nullopt : from->poll_received();
}

void Endpoint::handle_stream_closed(Instant now, SessionId session, connect::StreamId stream) {
    HttpSession* const to = running(session);
    if (to == nullptr) return;
    to->handle_stream_closed(now, stream);
    see(now);
}

}  // namespace stile::session
