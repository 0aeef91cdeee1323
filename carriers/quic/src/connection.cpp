// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/quic/connection.hpp>

#include <stile/base/machine.hpp>
#include "engine.hpp"

namespace stile::quic {

static_assert(Machine<Connection>);

Connection::Connection(Instant now, const Config& config, crypto::RandomStream random)
    : engine_(std::make_unique<Engine>(Role::Client, now, config, nullptr, std::move(random))) {}

Connection::Connection(Instant now, const Config& config, const Initial& initial,
                       crypto::RandomStream random)
    : engine_(std::make_unique<Engine>(Role::Server, now, config, &initial, std::move(random))) {}

Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

void Connection::handle_datagram(Instant now, BytesView datagram, Ecn ecn) {
    engine_->handle_datagram(now, datagram, ecn);
}
void Connection::handle_timeout(Instant now) { engine_->handle_timeout(now); }

std::optional<Batch> Connection::poll_transmit(Instant now, std::size_t segments) {
    return engine_->poll_transmit(now, segments);
}
std::optional<Batch> Connection::poll_transmit() {
    return engine_->poll_transmit(engine_->now(), most_batch_segments);
}
std::optional<Event> Connection::poll_event() { return engine_->http().poll_event(); }
std::optional<Instant> Connection::poll_timeout() const { return engine_->poll_timeout(); }

std::expected<StreamId, RequestError> Connection::request(const RequestHead& head, More body) {
    if (!engine_->is_open()) return std::unexpected(RequestError::NotReady);
    return engine_->http().request(head, body);
}

SendResult Connection::respond(StreamId stream, const ResponseHead& head, More body) {
    if (!engine_->is_open()) return SendResult::Gone;
    return engine_->http().respond(stream, head, body);
}
SendResult Connection::push_body(StreamId stream, Bytes chunk) {
    if (!engine_->is_open()) return SendResult::Gone;
    return engine_->http().push(stream, std::move(chunk));
}
SendResult Connection::push_borrowed(StreamId stream, BytesView chunk) {
    if (!engine_->is_open()) return SendResult::Gone;
    return engine_->http().push_borrowed(stream, chunk);
}
SendResult Connection::end_body(StreamId stream, const std::vector<Field>& trailers) {
    if (!engine_->is_open()) return SendResult::Gone;
    return engine_->http().end_body(stream, trailers);
}

BytesView Connection::body(StreamId stream) const { return engine_->http().body(stream); }
void Connection::consume(StreamId stream, std::size_t octets) {
    engine_->http().consume(stream, octets);
}
void Connection::change_path(Instant now, std::optional<Duration> round_trip) {
    engine_->change_path(now, round_trip);
}
void Connection::reset_stream(StreamId stream, ErrorCode code) {
    if (engine_->is_open()) engine_->http().reset(stream, code);
}
void Connection::close(Instant now, ErrorCode code, std::string_view text) {
    engine_->close(now, code, text);
}

std::span<const crypto::Certificate> Connection::peer_certificates() const {
    return engine_->peer_certificates();
}
bool Connection::owns(BytesView datagram) const { return engine_->owns(datagram); }
Role Connection::role() const { return engine_->role(); }
Statistics Connection::statistics() const { return engine_->statistics(); }

}  // namespace stile::quic
