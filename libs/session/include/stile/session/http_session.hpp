// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/connector.hpp>
#include <stile/identity/fingerprint.hpp>
#include <stile/sdp/description.hpp>
#include <stile/sdp/http_carriers.hpp>
#include <stile/session/limits.hpp>

#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::session {

// Who fetches offers and is the HTTP client; who serves answers. docs/protocols/quic-in-sdp.md.
enum class Part : std::uint8_t { Offerer, Answerer };

struct HttpSessionConfig {
    Part part = Part::Offerer;
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
};
std::string_view to_string(SessionFault fault);

// The description for the peer: an offer or the answer. Comes once.
struct DescriptionReady {
    std::string sdp;
};
// Application data may flow. Comes again with every change; of several at once the last is said.
struct RouteReady {
    connect::Route route;
};
// The peer is silent; its carrier survives until RouteReady or the end.
struct RouteLost {};
// The last event.
struct Failed {
    SessionFault fault;
};
using HttpSessionEvent = std::variant<DescriptionReady, RouteReady, RouteLost, Failed>;

// One session that carries HTTP over QUIC: offer and answer (RFC 3264), the path (ICE), and what
// the peer's certificate must be. Knows no SIP: who calls carries the descriptions.
//
// Order of calls: an offerer is made, says DescriptionReady, gets handle_answer. An answerer is
// made, gets handle_offer, says DescriptionReady.
class HttpSession {
public:
    HttpSession(Instant now, HttpSessionConfig config, crypto::RandomStream random);

    // ---- inputs ----
    // Requires: part is Answerer; once.
    [[nodiscard]] std::expected<void, SessionFault> handle_offer(Instant now, std::string_view sdp);
    // Requires: part is Offerer, DescriptionReady has been said; once.
    [[nodiscard]] std::expected<void, SessionFault> handle_answer(Instant now,
                                                                  std::string_view sdp);
    std::optional<connect::Received> handle_datagram(Instant now, const Path& path,
                                                     BytesView datagram);
    void handle_timeout(Instant now);
    // A router keeps a port open for one of the path's sockets, or no longer.
    void handle_port_mapped(Instant now, const connect::MappedPort& mapped);
    void handle_port_unmapped(Instant now, const connect::MappedPort& mapped);
    // By the route; lost without one.
    void send(Instant now, BytesView payload) { path_.send(now, payload); }
    void release(Instant now) { path_.release(now); }

    // ---- outputs ----
    std::optional<Transmit> poll_transmit() { return path_.poll_transmit(); }
    std::optional<HttpSessionEvent> poll_event();
    std::optional<Instant> poll_timeout() const;

    std::optional<connect::Route> route() const { return path_.route(); }
    // What the peer's certificate must match one of; empty before the exchange.
    const std::vector<identity::Fingerprint>& expected_fingerprints() const { return expected_; }
    Part part() const { return config_.part; }
    const connect::Connector& path() const { return path_; }

private:
    enum class Patience : std::uint8_t { ForAll, ForRelay };
    enum class News : std::uint8_t { None, Unsaid };

    void see(Instant now);
    void describe();
    std::string make_offer();
    std::string make_answer();
    sdp::CarrierParameters parameters() const;
    sdp::Origin origin();
    std::expected<void, SessionFault> apply_remote(Instant now, const sdp::Description& remote,
                                                   std::size_t section);
    bool ready_to_describe(Instant now);
    bool lacks_relay() const;
    void fail(SessionFault fault);

    HttpSessionConfig config_;
    crypto::RandomStream random_;
    connect::Connector path_;
    std::optional<Instant> description_deadline_;  // absent once described
    Patience patience_ = Patience::ForAll;
    std::optional<Instant> path_deadline_;  // while the descriptions are known and no route is
    sdp::Description offer_;                // ours or the peer's
    std::optional<std::size_t> section_;    // the carrier's section, once it is chosen
    std::vector<identity::Fingerprint> expected_;
    // What is to be said; nothing here can grow.
    std::optional<DescriptionReady> description_;
    News route_news_ = News::None;
    std::optional<Failed> failed_;
    News failure_news_ = News::None;
};

}  // namespace stile::session
