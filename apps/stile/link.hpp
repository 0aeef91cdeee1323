// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "node_sockets.hpp"

#include <stile/app/problem.hpp>
#include <stile/connect/route.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/quic/connection.hpp>
#include <stile/session/endpoint.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stile::peer {

class Link;

// What becomes of one request of ours. Each may be empty; on_end or on_failed comes last.
struct ResponseHandlers {
    std::move_only_function<void(const quic::ResponseHead&)> on_head;
    // Returns how many octets were used; the rest is offered again after Link::resume_reading.
    std::move_only_function<std::size_t(BytesView)> on_body;
    std::move_only_function<void(const std::vector<quic::Field>&)> on_trailers;
    std::move_only_function<void()> on_end;
    std::move_only_function<void(const app::Problem&)> on_failed;
    // The request fails when nothing at all came from the peer for so long after it was sent; what
    // lives acknowledges at once. Without it the connection's own, longer timers decide.
    std::optional<Duration> patience;
};

// What a link tells its owner.
struct LinkHandlers {
    std::function<void(Link&)> on_ready;  // the peer's certificate was taken
    // A peer's request; answer by respond(), push_body() ...
    std::function<void(Link&, quic::StreamId, const quic::RequestHead&)> on_request;
    std::function<void(Link&, quic::StreamId)> on_body_writable;
    std::function<void(Link&, quic::StreamId)> on_stream_closed;
    // The last; the owner end()s the link then, with the reason it knows.
    std::function<void(Link&, const quic::event::Closed&)> on_closed;
    // A datagram leaves by the session's route.
    std::function<void(Link&, BytesView)> send_by_session;
    // Something came by a socket of the link's own.
    std::function<void(Link&, const Path&, BytesView)> on_datagram;
};

// One session and the QUIC connection that runs on its path, by the node's sockets and by some of
// its own for relays. The way that datagrams take is the session's matter; QUIC is told when it is
// another (quic::Connection::change_path).
class Link {
public:
    Link(drivers::Loop& loop, const NodeSockets& shared, std::string peer, LinkHandlers handlers);
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    ~Link();

    // This address of the host is gone, and with it the link's own socket there.
    void close_socket(const IpAddress& address) { own_sockets_.erase(address); }

    // Where datagrams go from now on. The first call starts the handshake of a client.
    void set_route(const connect::Route& route);
    void clear_route();
    const std::optional<connect::Route>& route() const { return route_; }
    // Before the first set_route. A server starts with the client's first datagram.
    void set_credentials(quic::Role role, quic::Credentials credentials);

    // A datagram of ICE or TURN, by a socket of this link.
    void transmit(const Transmit& datagram);
    // A datagram of the application, as the session returned it.
    void handle_payload(BytesView payload);
    // Whether it is this link's, where several links share the path it came by.
    bool owns(BytesView payload) const;

    bool ready() const { return ready_; }
    bool closed() const { return closed_; }
    // A request was met with silence, and there was nothing since: better not ask here.
    bool doubtful() const { return doubtful_; }
    quic::Connection* connection() { return connection_ ? &*connection_ : nullptr; }
    // The session whose path this is; known when its sockets are open.
    void bind(session::SessionId session) { session_ = session; }
    session::SessionId session() const { return session_; }
    const std::string& peer() const { return peer_; }

    // A client's request; with NotReady on_failed tells why, soon. Requires: ready().
    std::expected<quic::StreamId, quic::RequestError> request(const quic::RequestHead& head,
                                                              ResponseHandlers handlers);
    void cancel(quic::StreamId stream);
    // Offers what on_body left.
    void resume_reading(quic::StreamId stream);

    // After commands on connection(): sends what is due.
    void pump();
    void close(quic::ErrorCode code, std::string_view text);
    // Closes, and fails what is under way with this.
    void end(const app::Problem& problem);

private:
    void start_client();
    void start_server(BytesView first);
    void send(const quic::Batch& batch);
    void handle(const quic::Event& event);
    void handle_body(quic::StreamId stream);
    void note_idle();
    void arm_silence();
    void handle_silence();
    drivers::UdpSocket* socket_at(const SocketAddress& local);
    drivers::UdpSocket* own_socket(const IpAddress& address);

    drivers::Loop& loop_;
    const NodeSockets& shared_;
    std::string peer_;
    session::SessionId session_;
    LinkHandlers handlers_;
    // connect::own_socket_at(): opened when first used.
    std::map<IpAddress, std::unique_ptr<drivers::UdpSocket>> own_sockets_;
    std::optional<connect::Route> route_;
    // The pair of addresses and the way on the wire that QUIC was told of.
    std::optional<std::pair<Path, Path>> way_;
    quic::Role role_ = quic::Role::Client;
    std::optional<quic::Credentials> credentials_;
    std::optional<quic::Connection> connection_;
    std::vector<Bytes> early_;  // of the peer, before there was a route
    struct Response {
        ResponseHandlers handlers;
        Instant asked_at;
        std::uint64_t heard_before = 0;
        bool ended = false;  // all has come; some of the body may be unread
    };
    std::map<quic::StreamId, Response> responses_;
    std::vector<ResponseHandlers> unsent_;  // the connection is closing: until it says why
    drivers::Timer timer_;
    drivers::Timer idle_timer_;
    drivers::Timer silence_timer_;
    std::uint64_t heard_ = 0;  // datagrams of the peer
    bool ready_ = false;
    bool closed_ = false;
    bool doubtful_ = false;
    bool pumping_ = false;
};

}  // namespace stile::peer
