// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// TCP connections, whatever they are for: to relays, to STUN servers, and to the peer, where each
// datagram is an RFC 4571 frame.
#include <stile/base/assert.hpp>
#include <stile/connect/connector.hpp>
#include <stile/connect/packet_framing.hpp>
#include <stile/stun/message_view.hpp>
#include <stile/turn/stream_framing.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {
namespace {

turn::Failure failure_of(ice::ConnectFailure failure) {
    switch (failure) {
        case ice::ConnectFailure::TimedOut:
            return {.kind = turn::FailureKind::TimedOut};
        case ice::ConnectFailure::Refused:
        case ice::ConnectFailure::Unreachable:
        case ice::ConnectFailure::Local:
            return {.kind = turn::FailureKind::Unreachable};
    }
    return {};
}

}  // namespace

// ---- inputs ----------------------------------------------------------------------------------

void Connector::handle_stream_opened(Instant now, StreamId id, const Path& path) {
    Stream* const stream = streams_.find(id);
    if (stream == nullptr || stream->phase != Stream::Phase::Opening) return;
    stream->phase = Stream::Phase::Open;
    stream->path = path;
    if (stream->use == Stream::Use::Peer) {
        agent_.handle_connected(now, *stream->connection, path);
    } else if (stream->use == Stream::Use::RelayedPeer) {
        if (tcp_relay_) tcp_relay_->machine.handle_stream_opened(now, id);
    } else if (Relay* const moving = find_moving(id)) {
        handle_move_opened(now, *moving, path);
    } else {
        const Attempt attempt = take_attempt(id);
        if (const auto* const server = std::get_if<TurnServer>(&attempt.source)) {
            open_stream_relay(now, *server, id, path);
        } else if (const auto* const source = std::get_if<TcpRelaySource>(&attempt.source)) {
            open_tcp_relay(now, source->server, id, path);
        } else {
            open_stream_probe(now, std::get<StreamSource>(attempt.source), id, path);
        }
    }
    see(now);
}

void Connector::handle_stream_failed(Instant now, StreamId id, ice::ConnectFailure failure) {
    const Stream* const stream = streams_.find(id);
    if (stream == nullptr || stream->phase == Stream::Phase::Open) return;
    const auto connection = stream->connection;
    const bool is_attempt = stream->use != Stream::Use::Peer && !stream->relayed_pair;
    forget_stream(id);
    if (connection) agent_.handle_connect_failed(now, *connection, failure);
    if (Relay* const moving = find_moving(id)) {
        fail_move(now, *moving, failure_of(failure));
    } else if (is_attempt) {
        fail_attempt(now, id, failure);
    }
    see(now);
}

std::optional<StreamId> Connector::handle_stream_accepted(Instant now, const Path& path) {
    if (phase_ == Phase::Released) return std::nullopt;
    const auto connection = agent_.handle_accepted(now, path);
    std::optional<StreamId> accepted;
    if (connection) {
        Stream& stream = streams_.add(Stream::Use::Peer, Stream::Phase::Open, path);
        stream.connection = *connection;
        accepted = stream.id;
    }
    see(now);
    return accepted;
}

void Connector::handle_stream_bytes(Instant now, StreamId id, BytesView octets) {
    Stream* stream = streams_.find(id);
    if (stream == nullptr || stream->phase != Stream::Phase::Open) return;
    if (stream->use == Stream::Use::RelayedPeer) {
        // What is the server's comes first. RFC 6062 Section 4.3.
        if (tcp_relay_) octets = tcp_relay_->machine.handle_octets(now, id, octets);
        take_tcp_relay_events(now);
        stream = streams_.find(id);
        if (stream == nullptr || !stream->connection) return see(now);
    }
    stream->inbox.insert(stream->inbox.end(), octets.begin(), octets.end());
    const auto used = stream->connection ? take_packets(now, *stream, stream->inbox)
                                         : take_messages(now, *stream, stream->inbox);
    if (used) {
        stream->inbox.erase(stream->inbox.begin(),
                            stream->inbox.begin() + static_cast<std::ptrdiff_t>(*used));
    } else if (stream->connection) {
        stream->inbox.clear();  // the agent has said what becomes of it
    } else {
        queue_event(StreamUnwanted{id});
        return handle_stream_closed(now, id);
    }
    see(now);
}

void Connector::handle_stream_closed(Instant now, StreamId id) {
    const Stream* const stream = streams_.find(id);
    if (stream == nullptr) return;
    if (stream->phase == Stream::Phase::Opening) {
        return handle_stream_failed(now, id, ice::ConnectFailure::Unreachable);
    }
    const auto connection = stream->connection;
    const bool is_unbound =
        stream->relayed_pair && !(tcp_relay_ && tcp_relay_->machine.is_bound(id));
    forget_stream(id);
    if (connection && is_unbound) {
        agent_.handle_connect_failed(now, *connection, ice::ConnectFailure::Unreachable);
    } else if (connection) {
        agent_.handle_connection_closed(now, *connection);
    }
    if (tcp_relay_ && tcp_relay_->control == id) tcp_relay_->machine.handle_unreachable(now);
    for (Relay& relay : relays_) {
        if (relay.stream == id && !strand(now, relay)) relay.client.handle_unreachable(now);
    }
    if (Relay* const moving = find_moving(id)) {
        fail_move(now, *moving, {.kind = turn::FailureKind::Unreachable});
    }
    move_stranded(now);
    for (Probe& probe : probes_) {
        if (probe.stream != id || probe.state == SourceState::Done) continue;
        probe.state = SourceState::Done;
        probe.report.outcome = SourceReport::Outcome::Silent;
    }
    see(now);
}

std::optional<Received> Connector::poll_received() {
    if (received_.empty()) return std::nullopt;
    const Path pair = received_.front().pair;
    current_received_ = std::move(received_.front().payload);
    received_.pop_front();
    return Received{pair, current_received_};
}

// ---- messages --------------------------------------------------------------------------------

std::optional<std::size_t> Connector::take_packets(Instant now, const Stream& stream,
                                                   BytesView octets) {
    std::size_t used = 0;
    while (const auto packet = first_packet(octets.subspan(used))) {
        used += frame_header_octets + packet->size();
        if (packet->empty()) continue;
        const auto verdict = agent_.handle_frame(now, *stream.connection, *packet);
        if (verdict == ice::Verdict::NotMine) {
            agent_.handle_data(now, {.path = stream.pair(), .connection = stream.connection});
            keep_received({stream.pair(), *packet});
        } else if (!stun::looks_like_stun(*packet)) {
            return std::nullopt;  // not from the peer: RFC 6544 Section 7.1
        }
    }
    return used;
}

std::optional<std::size_t> Connector::take_messages(Instant now, const Stream& stream,
                                                    BytesView octets) {
    std::size_t used = 0;
    for (;;) {
        const BytesView rest = octets.subspan(used);
        const auto size = turn::framed_size(rest);
        if (!size && size.error() == turn::FramingError::NotTurn) return std::nullopt;
        if (!size || rest.size() < *size) return used;
        const BytesView octets_of_one = rest.first(*size);
        used += *size;
        if (tcp_relay_ && tcp_relay_->control == stream.id) {
            tcp_relay_->machine.handle_message(now, octets_of_one);
            continue;
        }
        const auto relay = std::ranges::find_if(relays_, [&](const Relay& each) {
            return each.stream == stream.id || (each.move && each.move->stream == stream.id);
        });
        if (relay != relays_.end()) {
            if (const auto received = handle_relayed(now, *relay, octets_of_one)) {
                keep_received(*received);
            }
            continue;
        }
        const auto message = stun::MessageView::parse(octets_of_one);
        for (Probe& probe : probes_) {
            if (message && probe.stream == stream.id) {
                probe.machine.handle_message(now, probe.machine.path(), *message);
            }
        }
    }
}

void Connector::keep_received(const Received& received) {
    if (received_.size() == limits::most_queued_received) return;
    received_.push_back({received.pair, to_bytes(received.payload)});
}

// ---- parts -----------------------------------------------------------------------------------

void Connector::close_stream(StreamId id) {
    const Stream* const stream = streams_.find(id);
    if (stream == nullptr) return;
    const bool is_known = stream->phase != Stream::Phase::Planned;
    forget_stream(id);
    if (is_known) queue_event(StreamUnwanted{id});
}

void Connector::forget_stream(StreamId id) {
    streams_.erase(id);
    if (tcp_relay_) tcp_relay_->machine.drop(id);
}

void Connector::queue_on_stream(StreamId id, Bytes octets) {
    if (streams_.find(id) != nullptr) streams_.queue(id, std::move(octets));
}

void Connector::open_peer_stream(const ice::ConnectionWanted& wanted) {
    Stream& stream = streams_.add(Stream::Use::Peer, Stream::Phase::Opening, wanted.path);
    stream.connection = wanted.id;
    const bool is_shared = wanted.type == ice::TcpType::SimultaneousOpen;
    queue_event(StreamWanted{
        .stream = stream.id,
        .path = wanted.path,
        .local_port = is_shared ? StreamWanted::LocalPort::Shared : StreamWanted::LocalPort::Any,
        .security = StreamSecurity::None,
        .server_name = {}});
}

Connector::Attempt Connector::take_attempt(StreamId stream) {
    const auto found = std::ranges::find(attempts_, stream, &Attempt::stream);
    STILE_ASSERT(found != attempts_.end());
    Attempt attempt = std::move(*found);
    attempts_.erase(found);
    return attempt;
}

void Connector::fail_attempt(Instant now, StreamId stream, ice::ConnectFailure failure) {
    const auto found = std::ranges::find(attempts_, stream, &Attempt::stream);
    STILE_ASSERT(found != attempts_.end());
    found->state = SourceState::Done;
    found->report.took = now - found->report.asked;
    found->report.outcome = failure == ice::ConnectFailure::TimedOut
                                ? SourceReport::Outcome::Silent
                                : SourceReport::Outcome::Refused;
    found->report.failure = failure_of(failure);
    const auto* server = std::get_if<TurnServer>(&found->source);
    if (const auto* const source = std::get_if<TcpRelaySource>(&found->source)) {
        server = &source->server;
    }
    if (server != nullptr) queue_event(RelayFailed{server->address, failure_of(failure)});
}

}  // namespace stile::connect
