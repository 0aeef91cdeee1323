// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/connector.hpp>
#include <stile/identity/fingerprint.hpp>
#include <stile/sdp/description.hpp>
#include <stile/sdp/http_carriers.hpp>
#include <stile/session/candidate_fragment.hpp>
#include <stile/session/limits.hpp>
#include <stile/session/milestones.hpp>

#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::session {

// Who fetches offers and is the HTTP client; who serves answers. docs/protocols/quic-in-sdp.md.
enum class Part : std::uint8_t { Offerer, Answerer };

// When an offer leaves. RFC 8838.
enum class Trickling : std::uint8_t {
    Full,  // at once, with the candidates that are there: the peer is known to take later ones
    Half,  // with all of them, as any ICE peer needs it; later ones follow if the answer allows it
};

// Whether the peer takes fragments with later candidates by the signalling that there is. An offer
// or answer that speaks of trickling says it of the session alone.
enum class Fragments : std::uint8_t { NotTaken, Taken };

struct HttpSessionConfig {
    Part part = Part::Offerer;
    Trickling trickling = Trickling::Half;  // of an offerer
    // ice.role is set by the part: the offerer is controlling (RFC 8445 Section 6.1.1).
    connect::ConnectorConfig path;
    identity::Fingerprint fingerprint;  // of the certificate that our carrier will present
};

// Why there is no session.
enum class SessionFault : std::uint8_t {
    BadDescription,  // not SDP, or not one that may answer ours
    NoCarrier,       // no section that both sides can do
    BadPath,         // ICE credentials missing or malformed
    NoFingerprint,   // nothing to recognise the peer's certificate by
    NoPath,          // no pair of candidates works
    PathTimedOut,    // no route in limits::path_patience
    PathLost,        // there was a route, and no other was found in limits::lost_patience
};
std::string_view to_string(SessionFault fault);

enum class DescriptionKind : std::uint8_t { Offer, Answer };

// A description for the peer. The first comes once, but for wait_for_candidates(); others follow
// restart() and later offers of the peer.
struct DescriptionReady {
    std::string sdp;
    DescriptionKind kind = DescriptionKind::Offer;
};
// Application data may flow. Comes again with every change; of several at once the last is said.
struct RouteReady {
    connect::Route route;
};
// Nothing may be sent (RFC 7675). The carrier survives until RouteReady or the end.
struct RouteLost {};
// The last event.
struct Failed {
    SessionFault fault;
};
// connect::StreamWanted, StreamUnwanted and NameWanted: TCP connections of the path and names of
// the peer, for the driver.
using HttpSessionEvent =
    std::variant<DescriptionReady, RouteReady, RouteLost, connect::StreamWanted,
                 connect::StreamUnwanted, connect::NameWanted, Failed>;

// One session that carries HTTP over QUIC: offer and answer (RFC 3264), the path (ICE), and what
// the peer's certificate must be. Knows no SIP: who calls carries the descriptions.
//
// Order of calls: an offerer is made, says DescriptionReady, gets handle_answer. An answerer is
// made, gets handle_offer, says DescriptionReady. With a peer that trickles fragments then go both
// ways: poll_fragment() has ours, one at a time, handle_fragment() takes the peer's.
//
// Either side may restart ICE later, whatever its part: restart(), DescriptionReady with an offer,
// handle_answer() or handle_offer_refused(). The other side gets handle_offer() as before. Of two
// offers that cross neither may be taken: that is for the signalling to see.
class HttpSession {
public:
    HttpSession(Instant now, HttpSessionConfig config, crypto::RandomStream random);

    // ---- inputs ----
    // The first: requires that part is Answerer. A later one changes nothing where it fails; it
    // must not come while has_offer().
    [[nodiscard]] std::expected<void, SessionFault> handle_offer(
        Instant now, std::string_view sdp, Fragments fragments = Fragments::NotTaken);
    // Requires: an offer was said, and neither answered nor refused. Where it fails, and it is not
    // the first, the session goes on as if it had been refused.
    [[nodiscard]] std::expected<void, SessionFault> handle_answer(
        Instant now, std::string_view sdp, Fragments fragments = Fragments::NotTaken);
    // The peer does not trickle after all, and has taken no offer: DescriptionReady comes again,
    // with all candidates. Requires: part is Offerer, no answer came.
    void wait_for_candidates(Instant now);
    // Makes new credentials and an offer of them, with the candidates that there are; the route
    // stays as it is meanwhile. Requires: restart_due() is not absent.
    void restart(Instant now);
    // The offer of restart() was refused, or did not reach the peer. "ICE processing continues as
    // if the subsequent offer had never been made": RFC 8839 Section 4.4.
    void handle_offer_refused(Instant now);
    // Later candidates of the peer, in any order and any number of times: what is known already,
    // or of another generation, changes nothing. What comes before the peer's description is kept,
    // the last of it.
    [[nodiscard]] std::expected<void, FragmentFault> handle_fragment(Instant now,
                                                                     std::string_view fragment);
    // The peer may not have got the fragment that was polled last: poll_fragment() says it anew.
    void handle_fragment_lost() { lost_ = Lost::Yes; }
    std::optional<connect::Received> handle_datagram(Instant now, const Path& path,
                                                     BytesView datagram);
    // As the connector has them; poll_received() after each handle_stream_bytes().
    void handle_stream_opened(Instant now, connect::StreamId stream, const Path& path);
    void handle_stream_failed(Instant now, connect::StreamId stream, ice::ConnectFailure failure);
    std::optional<connect::StreamId> handle_stream_accepted(Instant now, const Path& path);
    void handle_stream_bytes(Instant now, connect::StreamId stream, BytesView bytes);
    void handle_stream_closed(Instant now, connect::StreamId stream);
    std::optional<connect::Received> poll_received() { return path_.poll_received(); }
    void handle_timeout(Instant now);
    // Where config.path.pacing is Shared.
    void handle_timeout(Instant now, ice::Pacer& shared);
    // A router keeps a port open for one of the path's sockets, or no longer.
    void handle_port_mapped(Instant now, const connect::MappedPort& mapped);
    void handle_port_unmapped(Instant now, const connect::MappedPort& mapped);
    // As Connector's.
    void handle_name(Instant now, const std::string& name, const std::optional<IpAddress>& address);
    void set_concealment(connect::Concealment concealment) {
        path_.set_concealment(std::move(concealment));
    }
    // A socket more for the path, at any time; or one that is closed, or whose interface is gone.
    void handle_host_added(Instant now, const SocketAddress& host);
    void handle_host_removed(Instant now, const SocketAddress& host);
    // The same of a TCP listener. Peers are told of it with the next restart, which a socket on the
    // same address brings about; so add listeners before sockets.
    void handle_listener_added(Instant now, const connect::Listener& listener);
    void handle_listener_removed(Instant now, const connect::Listener& listener);
    // The servers that connect::Servers::ToCome stands for.
    void handle_servers(Instant now, const std::vector<SocketAddress>& stun_servers,
                        const std::vector<connect::TurnServer>& turn_servers);
    // By the route; lost without one.
    void send(Instant now, BytesView payload) { path_.send(now, payload); }
    void release(Instant now) { path_.release(now); }

    // ---- outputs ----
    std::optional<Transmit> poll_transmit() { return path_.poll_transmit(); }
    std::optional<connect::StreamTransmit> poll_stream_transmit() {
        return path_.poll_stream_transmit();
    }
    std::optional<HttpSessionEvent> poll_event();
    // Whether poll_event() has one of the route: a datagram of the application may bring one about.
    bool has_route_news() const { return route_news_ == News::Unsaid; }
    std::optional<Instant> poll_timeout() const;
    // All our candidates for the peer, when it has not been told of all and takes fragments. Not
    // before the last one was answered: at most one may be under way. RFC 8840 Section 10.9.
    std::optional<std::string> poll_fragment();

    std::optional<connect::Route> route() const { return path_.route(); }
    // Since when, or from when on, a restart is useful: the path works no longer, or there are
    // sockets that the peer can be told of in no other way. Absent: it is not, or not possible now.
    // restart() is for who has the signalling; poll_timeout() knows nothing of it.
    std::optional<Instant> restart_due() const;
    // restart() was called and not answered yet.
    bool has_offer() const { return later_offer_ != LaterOffer::None; }
    // Counts the restarts, of either side.
    std::uint32_t generation() const { return generation_; }
    // What the peer's certificate must match one of; empty before the exchange.
    const std::vector<identity::Fingerprint>& expected_fingerprints() const { return expected_; }
    Part part() const { return config_.part; }
    const Milestones& milestones() const { return milestones_; }
    const connect::Connector& path() const { return path_; }

private:
    enum class Patience : std::uint8_t { ForAll, ForRelay };
    enum class News : std::uint8_t { None, Unsaid };
    enum class Lost : std::uint8_t { No, Yes };
    enum class LaterOffer : std::uint8_t { None, Preparing, Said };
    // Whether the peer knows the credentials of this generation.
    enum class Agreement : std::uint8_t { Open, Reached };

    void see(Instant now);
    void end_waiting(Instant now);
    void note_candidates();
    void note_told();
    void describe();
    sdp::Description make_offer();
    sdp::Description make_answer();
    sdp::CarrierParameters parameters() const;
    sdp::Origin origin();
    std::expected<void, SessionFault> apply_remote(Instant now, const sdp::Description& remote,
                                                   std::size_t section);
    std::expected<void, SessionFault> apply_path(Instant now, const sdp::CarrierParameters& carrier,
                                                 const sdp::Description& remote);
    // http_session_restart.cpp
    std::expected<void, SessionFault> handle_later_offer(Instant now, sdp::Description offer,
                                                         Fragments fragments);
    std::expected<void, SessionFault> handle_later_answer(Instant now,
                                                          const sdp::Description& answer,
                                                          Fragments fragments);
    // What a later description says of the carrier that there is.
    std::expected<sdp::CarrierParameters, SessionFault> read_later(
        const sdp::Description& remote) const;
    void begin_generation(Instant now);
    void await_description(Instant now, DescriptionKind kind);
    void note_route();
    void note_loss(Instant now);
    void try_others(Instant now);
    void note_path_failed(Instant now);
    void add_remote(Instant now, const connect::Description& later);
    connect::Description told_path() const;
    bool waits_for_candidates() const;
    bool ready_to_describe(Instant now);
    bool lacks_relay() const;
    void fail(SessionFault fault);
    // http_session_streams.cpp
    using StreamNews =
        std::variant<connect::StreamWanted, connect::StreamUnwanted, connect::NameWanted>;
    void note_stream(StreamNews news);

    HttpSessionConfig config_;
    crypto::RandomStream random_;
    connect::Connector path_;
    std::optional<Instant> description_deadline_;  // absent once described
    Patience patience_ = Patience::ForAll;
    DescriptionKind next_description_;
    std::optional<Instant> path_deadline_;  // while the descriptions are known and no route is
    sdp::Description offer_;                // ours or the peer's, the latest
    std::optional<sdp::Description> said_;  // our latest
    Milestones milestones_;
    std::string tls_id_;  // RFC 8842 Section 4: one carrier, one value
    std::optional<std::string> remote_tls_id_;
    std::optional<std::size_t> section_;  // the carrier's section, once it is chosen
    std::vector<identity::Fingerprint> expected_;
    // Ours in the order in which the peer is told, and how many of them it was told.
    std::vector<ice::Candidate> candidates_;
    connect::Gathering gathering_ = connect::Gathering::Ongoing;
    std::size_t told_ = 0;
    connect::Gathering told_gathering_ = connect::Gathering::Ongoing;
    Lost lost_ = Lost::No;                       // what was told last
    Fragments fragments_ = Fragments::NotTaken;  // by the peer, once its description is here
    bool offered_trickle_ = false;               // to us
    std::string mid_;                            // of the carrier's section
    ice::Credentials remote_;                    // meaningful with section_
    std::vector<ice::Candidate> remote_candidates_;
    std::vector<connect::NamedCandidate> remote_named_;
    std::optional<std::string> early_fragment_;
    // Restarts.
    std::uint32_t generation_ = 0;
    LaterOffer later_offer_ = LaterOffer::None;
    Agreement agreement_ = Agreement::Open;
    enum class RouteHistory : std::uint8_t { None, Earlier, ThisGeneration };
    RouteHistory had_route_ = RouteHistory::None;
    enum class Nomination : std::uint8_t { Awaited, Had };
    Nomination nomination_ = Nomination::Awaited;  // of this generation
    std::optional<Instant> broken_since_;          // this generation will find nothing any more
    std::optional<Instant> trying_until_;   // other pairs of this generation, which may take over
    std::optional<Duration> round_trip_;    // of the latest route
    std::optional<Instant> untold_since_;   // sockets that the peer can't be told of
    std::optional<Instant> lost_deadline_;  // while there is no route any more
    std::deque<StreamNews> streams_;
    // What is to be said; nothing here can grow.
    std::optional<DescriptionReady> description_;
    News route_news_ = News::None;
    std::optional<Failed> failed_;
    News failure_news_ = News::None;
};

}  // namespace stile::session
