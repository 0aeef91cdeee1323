// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "link.hpp"

#include "ended_problem.hpp"

#include <stile/base/machine.hpp>
#include <stile/drivers/random.hpp>
#include <stile/ice/consent.hpp>
#include <stile/session/limits.hpp>
#include <stile/turn/channel_data.hpp>

#include <algorithm>

namespace stile::peer {
namespace {

// Without a sign of the peer for so long it is taken for gone: longer than a path is silent that
// ICE still restarts, half a minute of consent and a minute without a route. A client's pings keep
// a transfer alive that its reader has paused.
constexpr Duration idle_timeout = std::chrono::seconds{100};
static_assert(idle_timeout > session::limits::lost_patience + ice::Consent::lifetime);
constexpr Duration keep_alive = std::chrono::seconds{20};
// A gateway keeps its sessions warm between a feed reader's requests, not for ever: the other side
// has a table of them.
constexpr Duration unused_timeout = std::chrono::minutes{2};
// For a connection that takes no more requests to say why.
constexpr Duration closing_patience = std::chrono::seconds{3};
// Datagrams kept until there is a route: a client's first flight is one or two, once repeated.
constexpr std::size_t most_early = 4;

app::Problem given_up(const std::string& peer) {
    return {app::ExitCode::Declined, peer + " gave the transfer up", "", "",
            "try again; a download goes on where it was"};
}

}  // namespace

Link::Link(drivers::Loop& loop, const NodeSockets& shared, std::string peer, LinkHandlers handlers)
    : loop_(loop),
      shared_(shared),
      peer_(std::move(peer)),
      handlers_(std::move(handlers)),
      timer_(loop,
             [this] {
                 if (connection_) connection_->handle_timeout(loop_.now());
                 pump();
             }),
      idle_timer_(loop, [this] { close(quic::no_error, "not used any more"); }),
      silence_timer_(loop, [this] { handle_silence(); }) {}

Link::~Link() = default;

void Link::set_credentials(quic::Role role, quic::Credentials credentials) {
    role_ = role;
    credentials_ = std::move(credentials);
}

void Link::set_route(const connect::Route& route) {
    route_ = route;
    // A channel that came or went is no other way; a way that is there again after none is.
    const std::pair way{route.pair, route.wire};
    if (std::exchange(way_, way) != way && connection_) {
        connection_->change_path(loop_.now(), route.round_trip);
    }
    if (!connection_ && role_ == quic::Role::Client && credentials_) start_client();
    for (const Bytes& payload : std::exchange(early_, {})) handle_payload(payload);
    pump();
}

void Link::clear_route() {
    route_.reset();
    way_.reset();
}

void Link::start_client() {
    const quic::Config config{.credentials = *credentials_,
                              .initial_rtt = route_->round_trip,
                              .idle_timeout = idle_timeout,
                              .keep_alive = keep_alive};
    connection_.emplace(loop_.now(), config, crypto::RandomStream{drivers::random_seed()});
}

void Link::start_server(BytesView first) {
    const auto initial = quic::read_initial(first);
    if (!initial || !credentials_) return;
    const quic::Config config{.credentials = *credentials_,
                              .initial_rtt = route_ ? route_->round_trip : std::nullopt,
                              .idle_timeout = idle_timeout};
    connection_.emplace(loop_.now(), config, *initial,
                        crypto::RandomStream{drivers::random_seed()});
}

void Link::transmit(const Transmit& datagram) {
    if (drivers::UdpSocket* const socket = socket_at(datagram.path.local)) socket->send(datagram);
}

void Link::handle_payload(BytesView payload) {
    if (payload.empty() || !quic::is_quic(payload.front(), quic::Origin::Peer)) return;
    // The peer's first check has succeeded, ours not yet: an answer could not leave, and would be
    // lost until QUIC's timer repeats it.
    if (!connection_ && !route_) {
        if (early_.size() < most_early) early_.push_back(to_bytes(payload));
        return;
    }
    if (!connection_ && role_ == quic::Role::Server) start_server(payload);
    if (!connection_) return;
    connection_->handle_datagram(loop_.now(), payload);
    // Whoever sends is there.
    ++heard_;
    doubtful_ = false;
}

bool Link::owns(BytesView payload) const {
    if (payload.empty() || !quic::is_quic(payload.front(), quic::Origin::Peer)) return false;
    if (connection_) return connection_->owns(payload);
    return role_ == quic::Role::Server && quic::read_initial(payload).has_value();
}

std::expected<quic::StreamId, quic::RequestError> Link::request(const quic::RequestHead& head,
                                                                ResponseHandlers handlers) {
    auto stream = connection_->request(head, quic::More::No);
    idle_timer_.disarm();
    if (stream) {
        responses_.insert_or_assign(*stream, Response{std::move(handlers), loop_.now(), heard_});
        arm_silence();
    } else if (stream.error() == quic::RequestError::NotReady) {
        unsent_.push_back(std::move(handlers));
        silence_timer_.arm_after(closing_patience);
    } else {
        note_idle();
    }
    pump();
    return stream;
}

void Link::cancel(quic::StreamId stream) {
    responses_.erase(stream);
    note_idle();
    if (connection_) connection_->reset_stream(stream, quic::request_cancelled);
    pump();
}

void Link::resume_reading(quic::StreamId stream) {
    handle_body(stream);
    pump();
}

void Link::close(quic::ErrorCode code, std::string_view text) {
    if (connection_) connection_->close(loop_.now(), code, text);
    pump();
}

void Link::pump() {
    if (!connection_ || pumping_) return;
    pumping_ = true;
    // Events first: what they bring about leaves with what was to be sent anyway. The other way
    // round the request would wait for the pacing of the handshake's last packet.
    for (;;) {
        if (const auto event = connection_->poll_event()) {
            handle(*event);
        } else if (const auto batch = connection_->poll_transmit(loop_.now())) {
            send(*batch);
        } else {
            break;
        }
    }
    timer_.arm(connection_->poll_timeout());
    pumping_ = false;
}

void Link::send(const quic::Batch& batch) {
    if (!route_) return;
    if (route_->stream) {
        BytesView rest = batch.payload;
        while (!rest.empty()) {
            const BytesView segment = rest.first(std::min(rest.size(), batch.segment_octets));
            rest = rest.subspan(segment.size());
            handlers_.send_by_session(*this, segment);
        }
        return;
    }
    drivers::UdpSocket* const socket = socket_at(route_->wire.local);
    if (socket == nullptr) return;
    if (route_->wire == route_->pair) {
        socket->send_batch(std::array{drivers::Outgoing{
            route_->wire,
            batch.payload,
            batch.segments() > 1 ? std::optional{batch.segment_octets} : std::nullopt,
            {}}});
        return;
    }
    BytesView rest = batch.payload;
    while (!rest.empty()) {
        const BytesView segment = rest.first(std::min(rest.size(), batch.segment_octets));
        rest = rest.subspan(segment.size());
        if (route_->channel) {
            const auto header = turn::channel_header(*route_->channel, segment.size());
            socket->send(drivers::Outgoing{route_->wire, segment, {}, header});
        } else {
            handlers_.send_by_session(*this, segment);
        }
    }
}

void Link::handle(const quic::Event& event) {
    namespace e = quic::event;
    // A client asks without waiting for the server's verdict on its own certificate: that saves a
    // round trip, and a refusal ends what was asked.
    if (std::holds_alternative<e::Completed>(event)) {
        ready_ = true;
        note_idle();
        if (handlers_.on_ready) handlers_.on_ready(*this);
    } else if (const auto* const request = std::get_if<e::RequestReceived>(&event)) {
        if (handlers_.on_request) handlers_.on_request(*this, request->stream, request->head);
    } else if (const auto* const response = std::get_if<e::ResponseReceived>(&event)) {
        const auto found = responses_.find(response->stream);
        if (found == responses_.end() || response->head.is_informational()) return;
        // It may cancel the request: it must not be destroyed while it runs.
        if (auto on_head = std::exchange(found->second.handlers.on_head, {})) {
            on_head(response->head);
        }
    } else if (const auto* const body = std::get_if<e::BodyReceived>(&event)) {
        handle_body(body->stream);
    } else if (const auto* const trailers = std::get_if<e::TrailersReceived>(&event)) {
        const auto found = responses_.find(trailers->stream);
        if (found == responses_.end() || !found->second.handlers.on_trailers) return;
        found->second.handlers.on_trailers(trailers->fields);
    } else if (const auto* const ended = std::get_if<e::StreamEnded>(&event)) {
        const auto found = responses_.find(ended->stream);
        if (found != responses_.end()) found->second.ended = true;
        handle_body(ended->stream);
    } else if (const auto* const reset = std::get_if<e::StreamReset>(&event)) {
        auto found = responses_.extract(reset->stream);
        note_idle();
        if (found && found.mapped().handlers.on_failed) {
            found.mapped().handlers.on_failed(given_up(peer_));
        }
    } else if (const auto* const writable = std::get_if<e::BodyWritable>(&event)) {
        if (handlers_.on_body_writable) handlers_.on_body_writable(*this, writable->stream);
    } else if (const auto* const gone = std::get_if<e::StreamClosed>(&event)) {
        if (handlers_.on_stream_closed) handlers_.on_stream_closed(*this, gone->stream);
    } else if (const auto* const closed = std::get_if<e::Closed>(&event)) {
        closed_ = true;
        if (handlers_.on_closed) handlers_.on_closed(*this, *closed);
    }
}

void Link::end(const app::Problem& problem) {
    close(quic::no_error, "the session has ended");
    for (auto& [stream, open] : std::exchange(responses_, {})) {
        if (open.handlers.on_failed) open.handlers.on_failed(problem);
    }
    for (ResponseHandlers& handlers : std::exchange(unsent_, {})) {
        if (handlers.on_failed) handlers.on_failed(problem);
    }
}

// ---- silence -----------------------------------------------------------------------------------

void Link::arm_silence() {
    std::optional<Instant> next;
    for (const auto& [stream, response] : responses_) {
        const auto& patience = response.handlers.patience;
        if (patience && heard_ == response.heard_before) {
            next = earlier(next, response.asked_at + *patience);
        }
    }
    silence_timer_.arm(next);
}

void Link::handle_silence() {
    std::vector<ResponseHandlers> failed = std::exchange(unsent_, {});
    std::vector<quic::StreamId> unheard;
    for (auto& [stream, response] : responses_) {
        const auto& patience = response.handlers.patience;
        if (!patience || heard_ != response.heard_before) continue;
        if (response.asked_at + *patience > loop_.now()) continue;
        unheard.push_back(stream);
        failed.push_back(std::move(response.handlers));
    }
    for (const quic::StreamId stream : unheard) cancel(stream);
    if (!failed.empty()) doubtful_ = true;
    arm_silence();
    for (ResponseHandlers& handlers : failed) {
        if (handlers.on_failed) handlers.on_failed(went_silent(peer_));
    }
}

void Link::note_idle() {
    if (role_ == quic::Role::Client && responses_.empty()) idle_timer_.arm_after(unused_timeout);
}

void Link::handle_body(quic::StreamId stream) {
    const auto found = responses_.find(stream);
    const BytesView body = connection_->body(stream);
    if (found == responses_.end()) return connection_->consume(stream, body.size());
    std::size_t used = body.size();
    if (!body.empty() && found->second.handlers.on_body) {
        // It may cancel the request: it must not be destroyed while it runs.
        auto on_body = std::move(found->second.handlers.on_body);
        used = on_body(body);
        const auto after = responses_.find(stream);
        if (after == responses_.end()) return;
        after->second.handlers.on_body = std::move(on_body);
    }
    const bool all = used == body.size();
    connection_->consume(stream, used);
    const auto done = responses_.find(stream);
    if (!all || done == responses_.end() || !done->second.ended) return;
    ResponseHandlers handlers = std::move(done->second.handlers);
    responses_.erase(done);
    note_idle();
    if (handlers.on_end) handlers.on_end();
}

drivers::UdpSocket* Link::socket_at(const SocketAddress& local) {
    return connect::is_own_socket(local) ? own_socket(local.ip) : shared_.find(local);
}

drivers::UdpSocket* Link::own_socket(const IpAddress& address) {
    auto& socket = own_sockets_[address];
    if (socket) return socket.get();
    drivers::UdpOptions options;
    options.fragmentation = drivers::UdpOptions::Fragmentation::Probe;
    auto opened = drivers::UdpSocket::open(loop_, {address, Port{0}}, options);
    // The session learns by silence that nothing leaves here.
    if (!opened) return nullptr;
    socket = *std::move(opened);
    socket->on_datagrams([this, address](std::span<const drivers::Datagram> batch) {
        const SocketAddress name = connect::own_socket_at({address, Port{0}});
        for (const drivers::Datagram& datagram : batch) {
            handlers_.on_datagram(*this, {name, datagram.path.remote}, datagram.payload);
        }
        pump();
    });
    return socket.get();
}

}  // namespace stile::peer
