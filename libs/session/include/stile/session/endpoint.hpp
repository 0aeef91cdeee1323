// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/shared_ports.hpp>
#include <stile/session/http_session.hpp>
#include <stile/sip/stream_framer.hpp>
#include <stile/sip/user_agent.hpp>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::session {

// One session of an endpoint; never reused.
struct SessionId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(SessionId, SessionId) = default;
};

// What this endpoint is for: it registers a contact that can serve, or it only asks.
enum class Purpose : std::uint8_t { Ask, Serve };

struct EndpointConfig {
    std::string address;   // "alice@example.org"
    std::string instance;  // "urn:uuid:...", the same at every start; RFC 5626 Section 4.1
    std::string software;
    Purpose purpose = Purpose::Ask;
    identity::Fingerprint fingerprint;  // of the certificate that our carriers present
    // Of what is fetched. Full asks for a peer that trickles (Require, RFC 8840 Section 5.1); one
    // that refuses gets a second offer, with everything.
    Trickling trickling = Trickling::Full;
};

// Why a session ended, for a person and for an exit code.
enum class EndReason : std::uint8_t {
    Local,          // end() was called
    PeerEnded,      // BYE, or the carrier closed
    UnknownPeer,    // 404, 604: the domain knows no such user
    PeerOffline,    // 480, 408: nobody is registered there, or nobody answers
    Declined,       // 603, 486, 403 ...: the other side, or its server, does not want
    NotAuthorised,  // 401, 407 with credentials: our server does not accept us
    NotUnderstood,  // 488, 415, 420 ...: nothing in common
    ServerFailure,  // 5xx, or any other refusal of a server
    NoAnswer,       // timed out
    Unreachable,    // the connection to our server is gone before an answer came
    SessionFault,   // see `fault`
};

struct Ended {
    SessionId session;
    EndReason reason = EndReason::Local;
    std::optional<SessionFault> fault;
    std::string evidence;  // "480 Temporarily Unavailable"
};

// Our contact is registered; said again after each refresh.
struct Registered {
    std::chrono::seconds expires;
};
struct RegistrationFailed {
    sip::Registration::Failure failure;
    std::string evidence;             // "403 Forbidden", or empty
    std::optional<Instant> retry_at;  // absent: it has stopped
};
// The answer to stop(), where there was a registration.
struct Unregistered {};
// Open the connection to our server, then handle_flow_opened; or handle_flow_unavailable.
struct FlowWanted {};
// Close this connection.
struct FlowUnwanted {
    sip::FlowId flow;
};
// Somebody wants to fetch: accept() or reject().
struct Incoming {
    SessionId session;
    std::string from;  // as our server vouches for it
};
struct RouteOpened {
    SessionId session;
    connect::Route route;
};
struct RouteClosed {
    SessionId session;
};
// A TCP connection of a session's path: open it, then handle_stream_opened or _failed.
struct StreamWanted {
    SessionId session;
    connect::StreamWanted wanted;
};
// Close it, or give the attempt up. After Ended all of a session's are unwanted.
struct StreamUnwanted {
    SessionId session;
    connect::StreamId stream;
};
// The peer has a candidate of this name: look for it by multicast DNS, then handle_name().
struct NameWanted {
    SessionId session;
    std::string name;
};
using EndpointEvent =
    std::variant<Registered, RegistrationFailed, Unregistered, FlowWanted, FlowUnwanted, Incoming,
                 RouteOpened, RouteClosed, StreamWanted, StreamUnwanted, NameWanted, Ended>;

// A datagram on one of the sockets of a session.
struct PathTransmit {
    SessionId session;
    Transmit datagram;
};
// Whole frames for one of the TCP connections of a session: a driver writes all or, where the
// connection is slow, nothing of it.
struct PathStreamTransmit {
    SessionId session;
    connect::StreamTransmit bytes;
};
using EndpointTransmit = std::variant<sip::Outgoing, PathTransmit, PathStreamTransmit>;

enum class FetchError : std::uint8_t {
    BadAddress,  // not user@domain
    NoFlow,      // no connection to our server is open
    TooMany,     // limits::most_sessions, or nobody fetches the events
};

// A peer: its signalling over one connection to its own server, and its sessions. The signalling
// may break and come back while sessions go on.
//
// The driver opens sockets, for a session or for all of them (ConnectorConfig::sockets), names them
// in ConnectorConfig::hosts, and hands in what they receive: what comes on a session's own with its
// id until Ended, and where it can for limits::release_patience longer, so that relays hear that
// they are free; what comes on shared ones to each of receivers().
class Endpoint {
public:
    // Requires: config.address is user@domain.
    Endpoint(Instant now, EndpointConfig config, crypto::RandomStream random);

    // ---- signalling ----
    // Registers where the purpose is Serve; a fetch may follow in any case.
    void start(Instant now);
    // Takes the contact back; Ended for every session follows where signalling allows it.
    void stop(Instant now);
    void handle_flow_opened(Instant now, const sip::Flow& flow);
    void handle_flow_unavailable(Instant now);
    void handle_flow_closed(Instant now, sip::FlowId flow);
    // False when the flow's bytes are no SIP: close it.
    bool handle_signalling(Instant now, sip::FlowId flow, BytesView bytes);

    // ---- sessions ----
    [[nodiscard]] std::expected<SessionId, FetchError> fetch(Instant now, std::string_view address,
                                                             connect::ConnectorConfig path);
    void accept(Instant now, SessionId session, connect::ConnectorConfig path);
    void reject(Instant now, SessionId session);
    void end(Instant now, SessionId session);
    // As end(), where the carrier is telling the peer why, and a BYE must not overtake it: the
    // session carries datagrams, and Ended waits, until the peer has ended it, for `patience` at
    // most. Without a route it is over at once.
    void end_when_told(Instant now, SessionId session, Duration patience);
    std::optional<connect::Received> handle_datagram(Instant now, SessionId session,
                                                     const Path& path, BytesView datagram);
    // Whose a datagram on a socket that sessions share may be, the likeliest first; mostly one.
    // Give it to one after the other until one's carrier takes it. None: it is a stranger's, or
    // comes too late. Valid until the next non-const call.
    std::span<const SessionId> receivers(Instant now, const Path& path, BytesView datagram);
    // Of TCP connections, as StreamWanted asks for them or a listener of ConnectorConfig::listeners
    // accepts them. No stream: close it. poll_received() after each handle_stream_bytes(), until it
    // is empty.
    void handle_stream_opened(Instant now, SessionId session, connect::StreamId stream,
                              const Path& path);
    void handle_stream_failed(Instant now, SessionId session, connect::StreamId stream,
                              ice::ConnectFailure failure);
    std::optional<connect::StreamId> handle_stream_accepted(Instant now, SessionId session,
                                                            const Path& path);
    void handle_stream_bytes(Instant now, SessionId session, connect::StreamId stream,
                             BytesView bytes);
    std::optional<connect::Received> poll_received(SessionId session);
    void handle_stream_closed(Instant now, SessionId session, connect::StreamId stream);
    // A router keeps a port open for the socket of some session, or no longer.
    void handle_port_mapped(Instant now, const connect::MappedPort& mapped);
    void handle_port_unmapped(Instant now, const connect::MappedPort& mapped);
    // The address of a wanted name; empty: it is not to be found.
    void handle_name(Instant now, SessionId session, const std::string& name,
                     const std::optional<IpAddress>& address);
    // Of all sessions: before a host that is new. Requires: their paths had a concealment.
    void set_concealment(const connect::Concealment& concealment);
    // The network changes. The session moves to it, by later candidates or by an ICE restart, as
    // soon as there is a connection to our server; data goes on meanwhile. A driver opens a socket
    // for the session at the new address, says so, and hands in what comes on it; it says of a
    // socket that it is gone before or after it closes it. Nothing happens where the session is
    // over or not yet accepted.
    void handle_host_added(Instant now, SessionId session, const SocketAddress& host);
    void handle_host_removed(Instant now, SessionId session, const SocketAddress& host);
    // The same of TCP listeners: before the sockets of the same change, whose restart tells of
    // them.
    void handle_listener_added(Instant now, SessionId session, const connect::Listener& listener);
    void handle_listener_removed(Instant now, SessionId session, const connect::Listener& listener);
    // Routes or addresses are others: what servers have said of shared sockets is asked again.
    void handle_network_changed();
    // The servers for all sessions that were begun with connect::Servers::ToCome, and for none
    // other. Empty: there are none. Requires: at most connect::limits::most_servers and
    // most_turn_servers.
    void handle_servers(Instant now, const std::vector<SocketAddress>& stun_servers,
                        const std::vector<connect::TurnServer>& turn_servers);
    // By the session's route; lost without one.
    void send(Instant now, SessionId session, BytesView payload);
    void handle_timeout(Instant now);

    // ---- outputs ----
    std::optional<EndpointTransmit> poll_transmit();
    std::optional<EndpointEvent> poll_event();
    bool has_event() const { return !events_.empty(); }
    std::optional<Instant> poll_timeout() const;

    // Absent: no such session, or not that far.
    const HttpSession* find(SessionId session) const;
    std::size_t sessions() const { return entries_.size(); }

private:
    // An INFO that is under way, and the generation whose candidates it tells.
    struct Info {
        sip::DialogRequestId request;
        std::uint32_t generation = 0;
    };
    // How the restarts of a session fare.
    struct Restarts {
        enum class Willing : std::uint8_t { Yes, No };
        Willing peer = Willing::Yes;  // No: it refuses re-INVITEs as such
        std::uint32_t failures = 0;   // in a row
        std::uint32_t absences = 0;   // in a row, without a route
        Instant not_before{};
    };
    // Whether later candidates may be told.
    enum class Telling : std::uint8_t {
        Open,
        Held,     // until the ACK, or until a connection to our server is there
        Refused,  // the peer did not want the last
    };
    struct Entry {
        std::optional<HttpSession> session;         // absent: offered to us and not yet accepted
        std::optional<sip::CallId> call;            // absent: not yet called, or the call is over
        std::string peer;                           // "bob@example.org"
        std::string offer;                          // the peer's, until accepted
        Fragments fragments = Fragments::NotTaken;  // by the peer that offered
        Trickling trickling = Trickling::Half;      // of our offer
        Telling telling = Telling::Open;
        std::optional<Info> info;
        std::uint32_t generation = 0;  // that telling is about
        Restarts restarts = {};
        std::string evidence = {};            // of the last refusal of a restart
        std::optional<Instant> ends_at = {};  // of end_when_told()
    };
    using Entries = std::map<SessionId, Entry>;
    // An ended session that still gives its relays back, on sockets that may be closed already.
    struct Released {
        SessionId id;
        HttpSession session;
        Instant until;
    };

    HttpSessionConfig session_config(Part part, connect::ConnectorConfig path) const;
    void see(Instant now);
    void take_agent_events(Instant now);
    void take_registration_event(const sip::Registration::Event& event);
    void take_call_event(Instant now, sip::CallId call, sip::Call::Event event);
    void take_invite(Instant now, sip::CallId call, const sip::Message& invite);
    // endpoint_streams.cpp
    HttpSession* running(SessionId session);
    // endpoint_trickle.cpp
    void trickle(Instant now, Entry& entry);
    void release_held();
    void take_request(Instant now, Entry& entry, const sip::Call::RequestReceived& received);
    void take_info_response(Entry& entry, const sip::Call::RequestAnswered& answered);
    void take_info_failure(Entry& entry, const sip::Call::RequestFailed& failed);
    // True when the call is over for want of trickling alone: another follows.
    bool fall_back(Instant now, Entry& entry, const sip::Call::Ended& ended);
    static bool outlives_call(const Entry& entry, const sip::Call::Ended& ended);
    bool is_first(const Entry& entry, DescriptionKind kind) const;
    // endpoint_restart.cpp
    enum class Restart : std::uint8_t { None, Begun, Ended };
    Restart restart_if_due(Instant now, Entries::iterator entry);
    static bool is_hopeless(const Entry& entry);
    std::optional<Instant> restart_time(const Entry& entry) const;
    void send_later(Instant now, Entry& entry, DescriptionKind kind, sip::Body body);
    void take_reinvite(Instant now, Entry& entry, const sip::Message& invite);
    void take_reinvite_response(Instant now, Entry& entry, const sip::Message& response);
    void take_reinvite_failure(Instant now, Entry& entry);
    void back_off(Instant now, Restarts& restarts);
    static Fragments fragments_of(const sip::Message& description);
    // False when our server cannot be told.
    bool describe(Instant now, Entry& entry, const DescriptionReady& ready);
    void take_session_events(Instant now, Entries::iterator entry);
    void finish(Instant now, Entries::iterator entry, Ended ended);
    Entries::iterator find_call(sip::CallId call);
    // endpoint_ports.cpp
    void prepare_ports(Instant now, connect::ConnectorConfig& path);
    void follow_ports(Instant now, SessionId id, const HttpSession& session);
    bool has_room() const;
    void queue_event(EndpointEvent event);

    EndpointConfig config_;
    crypto::RandomStream random_;
    sip::UserAgent agent_;
    std::map<sip::FlowId, sip::StreamFramer> framers_;
    std::optional<sip::FlowId> flow_;       // the open one
    std::optional<sip::FlowId> last_flow_;  // that calls know
    std::optional<sip::RegistrationId> registration_;
    Entries entries_;
    std::uint64_t last_session_ = 0;
    std::deque<EndpointEvent> events_;
    ice::Pacer pacer_;  // of all sessions together
    std::deque<Released> released_;
    std::optional<connect::SharedPorts> ports_;  // once a session shares its sockets
    std::vector<SessionId> receivers_;
    Instant now_{};  // the latest seen
};

}  // namespace stile::session
