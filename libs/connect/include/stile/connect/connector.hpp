// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/machine.hpp>
#include <stile/connect/description.hpp>
#include <stile/connect/limits.hpp>
#include <stile/connect/mapped_port.hpp>
#include <stile/connect/nat64.hpp>
#include <stile/connect/path_report.hpp>
#include <stile/connect/reflexive_address.hpp>
#include <stile/connect/reflexive_probe.hpp>
#include <stile/connect/route.hpp>
#include <stile/connect/sockets.hpp>
#include <stile/connect/stream_table.hpp>
#include <stile/connect/tcp_relay.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/ice/agent.hpp>
#include <stile/turn/client.hpp>

#include <algorithm>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::connect {

struct TurnServer {
    SocketAddress address;
    std::string username;
    std::string password;
    // Not Dtls. A server is named once for each transport that it takes. Those over UDP are asked
    // first; the others, in the order given, while there is no relay, and for a TCP allocation (RFC
    // 6062) where only that is likely to reach the peer.
    turn::ClientTransport transport = turn::ClientTransport::Udp;
    std::string server_name;  // whom the certificate must be for, with Tls
    // Whether it is asked to let the relay come along to other networks (RFC 8016). Not to be asked
    // are those that are known to forbid it (Connector::immobile_servers()): that would cost a
    // round trip.
    turn::ClientConfig::Mobility mobility = turn::ClientConfig::Mobility::Wanted;
};

// RFC 8445 Section 5.1.1.1 leaves loopback addresses out; a machine with nothing else may admit
// them.
enum class LoopbackCandidates : std::uint8_t { Refused, Admitted };

// Which of the found candidates the peer is told. RelayedOnly hides every address of this host.
enum class CandidatePolicy : std::uint8_t { All, RelayedOnly };

// Whether the configuration names the servers, or set_servers() will: whoever hands out a relay's
// credentials may answer late, and delays nothing then.
enum class Servers : std::uint8_t { Known, ToCome };

// Who paces the transactions: the connector by itself, or a Pacer of all connectors of a process,
// which each handle_timeout() has to bring. RFC 8445 Section 14.2.
enum class Pacing : std::uint8_t { Own, Shared };

// RFC 8445 Section 14.2 and Appendix B.1: what NATs take. A pair is tried so much later for each
// one above it in the checklist.
inline constexpr Duration proposed_ta = ice::limits::least_ta;

struct ConnectorConfig {
    // Its Ta also paces gathering, and is in the Description: a peer that proposes none gets 50 ms.
    ice::AgentConfig ice{.ta = proposed_ta};
    // The sockets that the driver has open for this connector, best first; none is a wildcard.
    std::vector<SocketAddress> hosts;
    // Shared: SharedPorts says what of all that comes in is this connector's.
    Sockets sockets = Sockets::Own;
    // What servers have said of these sockets before, as SharedPorts tells it: candidates at once,
    // without asking again. A restart asks.
    std::vector<ReflexiveAddress> reflexive;
    // Ports of these sockets that routers keep open already, as handle_port_mapped() would say.
    std::vector<MappedPort> mapped_ports;
    // Where the driver accepts TCP for this connector, best first; none is a wildcard. Without any,
    // there are no candidates over TCP. RFC 6544 Section 4.1.
    std::vector<Listener> listeners;
    std::vector<SocketAddress> stun_servers;
    std::vector<TurnServer> turn_servers;
    Servers servers = Servers::Known;
    Pacing pacing = Pacing::Own;
    LoopbackCandidates loopback = LoopbackCandidates::Refused;
    CandidatePolicy policy = CandidatePolicy::All;
    // The peer is told names in place of the hosts' addresses; hosts without a name are not told.
    // What servers see is told, also where that is a host's own address.
    std::optional<Concealment> concealment;
    // Of the network, where it has a NAT64. Without an IPv4 socket the IPv4 addresses of servers
    // and of the peer's candidates are then reached by what stands for them under this prefix.
    std::optional<Nat64Prefix> nat64_prefix;
};

// A candidate to tell the peer.
struct CandidateGathered {
    ice::Candidate candidate;
};
// Every source has answered or had its time.
struct GatheringCompleted {};
// Application data goes this way from now on. Said again when the same way gets a channel, or loses
// it.
struct RouteChanged {
    Route route;
};
// The peer no longer consents (RFC 7675): nothing may be sent until RouteChanged, which another
// pair or restart() may bring.
struct RouteLost {};
// No pair works, or none does any longer. restart() is the way back. After a restart that found
// nothing the route of before may still be there.
struct PathFailed {
    ice::FailureReason reason;
};
// A relay cannot be used, or no longer; for diagnosis. The rest goes on without it.
struct RelayFailed {
    SocketAddress server;
    turn::Failure failure;
};
// The peer has a candidate of this name: look for it by multicast DNS on the links of this host,
// never by other DNS, and answer with handle_name().
struct NameWanted {
    std::string name;
};
using Event = std::variant<CandidateGathered, GatheringCompleted, RouteChanged, RouteLost,
                           PathFailed, RelayFailed, StreamWanted, StreamUnwanted, NameWanted>;

// A datagram of the application. The payload views the datagram that was handed in, or is good
// until the next non-const call where it was polled.
struct Received {
    Path pair;
    BytesView payload;
};

enum class DescriptionError : std::uint8_t {
    BadCredentials,    // not as RFC 8839 Section 5.4 wants them
    OtherCredentials,  // new ones without a restart
};

// A path between two peers: gathers candidates from sockets, STUN and TURN servers, lets an ICE
// agent find the best pair, and carries datagrams over it. Knows no signalling: who calls brings
// the peer's Description and takes ours there.
//
// Use: make it with the sockets that are open; send local_description() and each CandidateGathered
// to the peer; set_remote_description() with what comes back. Data may flow after the first
// RouteChanged.
class Connector {
public:
    // Requires: at most limits::most_hosts, most_listeners, most_servers and most_turn_servers.
    Connector(Instant now, ConnectorConfig config, crypto::RandomStream random);

    // ---- inputs ----
    // Everything that comes in on one of the sockets. What is neither STUN nor TURN is returned.
    // path.remote says who sent it; whether the sender is the peer is for its carrier to prove.
    std::optional<Received> handle_datagram(Instant now, const Path& path, BytesView datagram);
    // The connection that StreamWanted asked for is open, over TLS where that was wanted; path is
    // its 4-tuple. Or it is not; the id is used no longer.
    void handle_stream_opened(Instant now, StreamId stream, const Path& path);
    void handle_stream_failed(Instant now, StreamId stream, ice::ConnectFailure failure);
    // One came in at a listener. Empty: close it.
    [[nodiscard]] std::optional<StreamId> handle_stream_accepted(Instant now, const Path& path);
    // However the stream cuts them. What is of the application comes by poll_received().
    void handle_stream_bytes(Instant now, StreamId stream, BytesView octets);
    // The peer or the network ended it; the id is used no longer.
    void handle_stream_closed(Instant now, StreamId stream);
    // Requires: Pacing::Own.
    void handle_timeout(Instant now);
    // With Pacing::Shared.
    void handle_timeout(Instant now, ice::Pacer& shared);
    [[nodiscard]] std::expected<void, DescriptionError> set_remote_description(
        Instant now, const Description& description);
    // False when the candidate can't be used, or there are too many.
    bool add_remote_candidate(Instant now, const ice::Candidate& candidate);
    // It is one when its name is found, and delays no other. False as above.
    bool add_remote_candidate(Instant now, const NamedCandidate& candidate);
    // The one address of a wanted name; empty: there is none, or more than one.
    void handle_name(Instant now, const std::string& name, const std::optional<IpAddress>& address);
    // Other names than before. Requires: ConnectorConfig::concealment was there.
    void set_concealment(Concealment concealment);
    void end_of_remote_candidates(Instant now);
    // A candidate more, at any time; it delays nothing. Nothing happens where `host` is none of the
    // connector's sockets or listeners.
    void handle_port_mapped(Instant now, const MappedPort& mapped);
    // As it was said before: the candidate is told no longer.
    void handle_port_unmapped(Instant now, const MappedPort& mapped);
    // One socket more, at any time: its candidates are told as they come. Whether the peer can
    // still be told is the signalling's affair; once an end of candidates was said, or a pair is
    // nominated, only restart() makes use of it. False where it is known, or there are too many.
    bool add_host(Instant now, const SocketAddress& host);
    // The socket is closed, or its interface is gone, and with it every pair, probe and mapping
    // that used it. A relay moves to another socket that reaches its server, or to the next that
    // comes, within limits::stranded_relay_patience (RFC 8016); where its server doesn't know that,
    // one is asked for anew from another socket. RouteLost and PathFailed follow where it was the
    // route's, RouteChanged once its relay has moved.
    void remove_host(Instant now, const SocketAddress& host);
    // The servers that were to come, empty where there are none after all: gathering is complete
    // once they have answered, or without them after limits::source_deadline. Nothing happens where
    // they are known. Requires: at most limits::most_servers and most_turn_servers.
    void set_servers(Instant now, std::vector<SocketAddress> stun_servers,
                     std::vector<TurnServer> turn_servers);
    // All sources are asked now, one in Ta: for who can tell the peer no candidate later. Otherwise
    // those that are hardly needed wait for the first route.
    void ask_rest(Instant now);
    // A listener more, or one less; as with hosts. Nothing asks STUN servers by it before
    // restart().
    bool add_listener(Instant now, const Listener& listener);
    void remove_listener(Instant now, const Listener& listener);
    bool awaits_servers() const { return config_.servers == Servers::ToCome; }
    // Goes to the peer by the route. Without one, or with a full queue, it is lost, as datagrams
    // are.
    void send(Instant now, BytesView payload);
    // New credentials with the same sockets and relays; servers are asked again. Tell the peer
    // local_description() again. Requires: not released.
    void restart(Instant now, ice::PreviousPair previous = ice::PreviousPair::Keep);
    // Gives the relays back; checks are neither sent nor answered any more, so that the peer's
    // consent runs out. From then on poll_transmit, handle_datagram and handle_timeout serve the
    // relays alone, until poll_timeout is empty.
    void release(Instant now);

    // ---- outputs ----
    // First all of these, then what is for streams, which they may bring about.
    std::optional<Transmit> poll_transmit();
    std::optional<StreamTransmit> poll_stream_transmit() { return streams_.poll_transmit(); }
    // What came by streams. Beyond limits::most_queued_received they are lost, as datagrams are.
    std::optional<Received> poll_received();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    const Description& local_description() const { return local_; }
    const std::vector<SocketAddress>& hosts() const { return config_.hosts; }
    Sockets sockets() const { return config_.sockets; }
    // What STUN servers have said over UDP since the start, the latest of each path.
    const std::vector<ReflexiveAddress>& learned() const { return learned_; }
    // TURN servers that have said that relays may not move, as config names them.
    const std::vector<SocketAddress>& immobile_servers() const { return immobile_; }
    std::optional<Route> route() const;
    ice::State state() const { return agent_.state(); }
    ice::Role role() const { return agent_.role(); }
    std::vector<ice::PairReport> pairs() const { return agent_.pairs(); }
    // Everything that was tried since the start, or since the last restart(), for explain().
    PathReport report() const;

private:
    enum class Phase : std::uint8_t { Running, Released };
    enum class SourceState : std::uint8_t { Pending, Done };
    // A STUN server, to be asked over TCP from a listener's port.
    struct StreamSource {
        Listener listener;
        SocketAddress server;
    };
    // What gathering still has to ask: a STUN server by a socket, or a TURN server over UDP.
    using Source = std::variant<Path, TurnServer, StreamSource>;
    struct Queued {
        Path path;
        Bytes payload;
    };
    struct Mapped {
        MappedPort port;
        std::optional<std::uint16_t> local_preference;
    };
    struct Probe {
        ReflexiveProbe machine;
        SourceState state = SourceState::Pending;
        SourceReport report{};
        ice::Protocol protocol{};          // of the candidate that it finds
        std::optional<StreamId> stream{};  // that it is asked on
    };
    // A TURN server, to be asked for a TCP allocation.
    struct TcpRelaySource {
        TurnServer server;
    };
    // A source for which a connection is being opened, or could not be.
    struct Attempt {
        StreamId stream;
        std::variant<TurnServer, StreamSource, TcpRelaySource> source;
        SourceState state = SourceState::Pending;
        SourceReport report{};
    };
    struct Relay {
        SocketAddress host;  // of config_.hosts; unless the sockets are Shared, wire.local, too
        Path wire;
        turn::Client client;
        std::vector<SocketAddress> relayed;  // one, or one a family
        SourceState state = SourceState::Pending;
        std::deque<Queued> held;  // until the permission for their peer is there
        SourceReport report{};
        turn::ClientTransport transport = turn::ClientTransport::Udp;
        std::optional<StreamId> stream{};        // over TCP or TLS
        std::optional<Instant> keepalive_due{};  // while it is there, over UDP
        // Nothing of the above leads to it any more: until when it may move.
        std::optional<Instant> stranded_until{};
        struct Move {
            SocketAddress host;
            Path wire;
            Instant give_up;
            std::optional<StreamId> stream;  // over TCP or TLS
        };
        std::optional<Move> move{};
        std::vector<SocketAddress> tried{};  // hosts by which it could not, or may yet
    };
    // The one TCP allocation.
    struct TcpAllocation {
        TcpRelay machine;
        StreamId control;
        TurnServer server;
        Path wire;
        std::optional<SocketAddress> relayed = {};
        SourceReport report{};
    };
    // The selected pair, as the agent told it.
    struct Selected {
        Path pair;
        ice::CandidateType local_type;
        ice::CandidateType remote_type;
        std::optional<Duration> round_trip;
        std::optional<ice::ConnectionId> connection;  // over TCP
    };
    struct ReceivedOctets {
        Path pair;
        Bytes payload;
    };

    static SourceReport asked(SourceReport::Kind kind, turn::ClientTransport transport,
                              const Path& path, Instant now);
    turn::ClientConfig relay_config(const TurnServer& server) const;
    bool peer_has(ice::Transport transport) const;
    bool comes_from_relay(const IpAddress& remote) const;
    void translate_servers();
    void ask_relays_as_stun_servers();
    void ask_sources(Instant now);
    void begin_sources(Instant now);
    void start_due_source(Instant now, ice::Pacer& pacer);
    void start_between(Instant now, ice::Pacer& pacer);
    void start_source(Instant now, const Source& source);
    std::optional<Instant> rest_due() const;
    void begin_rest(Instant now);
    template <class Matches>
    bool any_waits(Matches matches) const {
        const auto in = [&](const std::deque<Source>& line) {
            return std::any_of(line.begin(), line.end(), matches);
        };
        return in(waiting_) || in(between_) || in(rest_);
    }
    std::vector<SocketAddress> hosts_by_hope() const;
    void forget_sources();
    void start_relay(Instant now, const TurnServer& server);
    bool recall(Instant now, const Path& path);
    void add_reflexive(Instant now, const Path& path, const SocketAddress& mapped,
                       ice::Protocol protocol);
    bool may_use(const SocketAddress& host) const;
    bool can_reach(const SocketAddress& host, const SocketAddress& server) const;
    void add_gathered(Instant now, const ice::GatheredCandidate& gathered);
    void tell(const ice::Candidate& candidate);
    // relay_streams.cpp
    void plan_stream_relays(Instant now);
    void start_due_stream_relay(Instant now);
    void start_stream_relay(Instant now, const TurnServer& server);
    void open_stream_relay(Instant now, const TurnServer& server, StreamId stream,
                           const Path& path);
    void drop_relay_attempts();
    bool has_relay() const;
    bool is_at(const Relay& relay, const TurnServer& server) const;
    bool awaits_relay() const;
    void forget_dead_relays();
    // tcp_relays.cpp
    std::optional<Instant> tcp_relay_due() const;
    void consider_tcp_relay(Instant now);
    void start_tcp_relay(Instant now, const TurnServer& server);
    void open_tcp_relay(Instant now, const TurnServer& server, StreamId stream, const Path& path);
    bool is_opening_tcp_relay() const;
    bool awaits_tcp_relay() const;
    void give_up_tcp_relay(Instant now);
    void want_stream(const Stream& stream, const TurnServer& server);
    void take_tcp_relay_events(Instant now);
    void handle_tcp_allocated(Instant now, const TcpRelay::Allocated& allocated);
    void lose_tcp_relay(Instant now, turn::Failure failure);
    void open_relayed_peer(Instant now, const ice::ConnectionWanted& wanted);
    void accept_relayed_peer(Instant now, const TcpRelay::Attempted& attempt);
    void bind_relayed_peer(Instant now, StreamId stream);
    void lose_relayed_peer(Instant now, StreamId stream, ice::ConnectFailure failure);
    // connector_listeners.cpp
    void gather_listener(Instant now, const Listener& listener);
    void ask_by_listeners();
    void start_stream_probe(Instant now, const StreamSource& source);
    void open_stream_probe(Instant now, const StreamSource& source, StreamId stream,
                           const Path& path);
    bool awaits_stream_probe() const;
    void drop_stream_probes();
    // connector_streams.cpp
    void close_stream(StreamId stream);
    void forget_stream(StreamId stream);
    void queue_on_stream(StreamId stream, Bytes octets);
    void open_peer_stream(const ice::ConnectionWanted& wanted);
    Attempt take_attempt(StreamId stream);
    void fail_attempt(Instant now, StreamId stream, ice::ConnectFailure failure);
    // How many octets were whole messages; empty when the stream is no use any more.
    std::optional<std::size_t> take_packets(Instant now, const Stream& stream, BytesView octets);
    std::optional<std::size_t> take_messages(Instant now, const Stream& stream, BytesView octets);
    void keep_received(const Received& received);
    // unlikely.cpp
    void note_alive(Instant now, const Path& path);
    void ask_relays_from(Instant now, const SocketAddress& alive);
    void give_up_rivals(Instant now, const Relay& allocated);
    void set_silent_aside(Instant now);
    bool is_unlikely(const ice::Candidate& remote) const;
    bool set_aside(const ice::Candidate& remote);
    bool admit(Instant now, ice::Candidate remote);
    void admit_if_aside(Instant now, const SocketAddress& remote);
    bool may_try_unlikely(Instant now) const;
    void try_unlikely(Instant now);
    void take_back(Instant now, const SocketAddress& host);
    void consider_remote_ended(Instant now);
    // spare_relays.cpp
    void keep_relays_alive(Instant now);
    void note_sent(Relay& relay);
    // moving_relays.cpp
    bool strand(Instant now, Relay& relay);
    void leave_move(Relay& relay);
    void move_stranded(Instant now);
    SocketAddress server_of(const Relay& relay) const;
    std::optional<SocketAddress> next_host_of(const Relay& relay) const;
    void move_to_next(Instant now, Relay& relay);
    void open_move_stream(Relay& relay);
    Relay* find_moving(StreamId stream);
    void handle_move_opened(Instant now, Relay& relay, const Path& path);
    void fail_move(Instant now, Relay& relay, const turn::Failure& failure);
    void lose_stranded(Instant now, Relay& relay, turn::Failure failure);
    void give_up_moves(Instant now);
    static std::optional<Instant> move_deadline(const Relay& relay);
    void finish_move(Instant now, Relay& relay);
    bool is_stranded(const SocketAddress& relayed) const;
    turn::ClientConfig::Mobility mobility_of(const TurnServer& server) const;
    void note_mobility(const Relay& relay);
    // connector_hosts.cpp
    void leave_host(Instant now, const SocketAddress& host);
    void forget_relays_by(const SocketAddress& host);
    bool is_by(const Relay& relay, const SocketAddress& host) const;
    bool is_from(const Path& wire, const SocketAddress& from, turn::ClientTransport transport,
                 const SocketAddress& host) const;
    void reconsider_translation();
    void ask_from_anew(Instant now, std::optional<SocketAddress> host);
    // port_guesses.cpp
    struct SeenMapping {
        Path path;  // the socket and the server
        Instant asked;
        std::optional<SocketAddress> mapped;
    };
    std::vector<SeenMapping> seen_mappings() const;
    void guess_ports(Instant now, const SocketAddress& host);
    // mapped_ports.cpp
    std::optional<ice::Protocol> protocol_of(const MappedPort& mapped) const;
    // named_candidates.cpp
    void forget_late_names(Instant now);
    bool may_tell(const ice::Candidate& candidate) const;
    void tell_seen_host(const SocketAddress& host);
    std::optional<std::uint16_t> preference_of(const MappedPort& mapped) const;
    void take_mapped(Instant now, const MappedPort& mapped);
    void gather_mapped(Instant now, const Mapped& mapped);
    void forget_mapped(const MappedPort& mapped);

    std::optional<Received> handle_relayed(Instant now, Relay& relay, BytesView datagram);
    std::optional<Received> deliver(Instant now, const Path& pair, BytesView payload);
    void permit(Instant now, const IpAddress& peer);

    void see(Instant now);
    void take_probe_events(Instant now, Probe& probe);
    void take_relay_events(Instant now, Relay& relay);
    void handle_allocated(Instant now, Relay& relay, const turn::Client::Allocated& allocated);
    void lose_relay(Instant now, Relay& relay, turn::Failure failure);
    void refuse_peer(Instant now, Relay& relay, const IpAddress& peer);
    // The channel to the selected pair's peer came or went.
    void note_channel(const Relay& relay, const SocketAddress& peer);
    void send_relayed(Instant now, Relay& relay, const SocketAddress& peer, BytesView payload);
    void send_held(Instant now, Relay& relay, const IpAddress& peer);
    void take_agent_events(Instant now);
    void select(Instant now, const ice::PairSelected& selected);
    std::optional<SocketAddress> selected_origin() const;
    void consider_complete(Instant now);
    static const SocketAddress* relayed_for(const Relay& relay, const IpAddress& peer);
    Relay* find_relay(const SocketAddress& relayed);
    const Relay* find_relay(const SocketAddress& relayed) const;
    void queue_event(Event event);

    // Servers as they were given: which of them need a NAT64 follows from the hosts.
    struct Given {
        std::vector<SocketAddress> stun_servers;
        std::vector<TurnServer> turn_servers;
        std::optional<Nat64Prefix> nat64_prefix;
    };

    ConnectorConfig config_;
    Given given_;
    crypto::RandomStream random_;
    Instant now_;  // the latest seen
    Phase phase_ = Phase::Running;
    ice::Agent agent_;
    std::deque<Source> waiting_;          // whose turn comes before checks
    std::deque<Source> between_;          // has a turn when no check wants it
    std::deque<Source> rest_;             // not before there is a first route, or want of one
    Instant asked_;                       // when all of these were made
    Instant next_source_;                 // meaningful while some wait
    std::optional<Instant> source_slot_;  // reserved for the next of them
    ice::Pacer pacer_;                    // with Pacing::Own
    stun::RetransmitSchedule schedule_;
    std::vector<Probe> probes_;
    std::vector<SourceReport> recalled_;  // from config_.reflexive
    std::vector<ReflexiveAddress> learned_;
    std::vector<Relay> relays_;
    enum class AskForLost : std::uint8_t { No, Yes };
    AskForLost ask_for_lost_ = AskForLost::No;  // a relay could not move
    std::vector<SocketAddress> immobile_;
    StreamTable streams_;
    std::vector<Attempt> attempts_;
    std::optional<TcpAllocation> tcp_relay_;
    enum class TcpRelayPlan : std::uint8_t { NotMade, Made };
    TcpRelayPlan tcp_relay_plan_ = TcpRelayPlan::NotMade;  // since the last restart
    std::deque<TurnServer> tcp_relay_servers_;             // not yet asked for a TCP allocation
    Instant next_tcp_relay_{};                             // when the next is, while one waits
    std::vector<SourceReport> past_tcp_relays_;            // what became of those asked in vain
    std::deque<TurnServer> stream_servers_;                // not yet asked, while there is no relay
    std::optional<Instant> next_stream_relay_;  // when the next of them is asked at the latest
    Instant stream_probes_until_{};             // how long gathering waits for them
    std::deque<ReceivedOctets> received_;
    Bytes current_received_;
    std::vector<ice::GatheredCandidate> gathered_;
    std::vector<Mapped> mapped_;
    std::size_t guessed_ = 0;  // ports that were told without a server's word
    std::vector<SocketAddress> guessed_for_;
    std::vector<SocketAddress> alive_;    // hosts where a server answered since the last restart
    std::vector<SocketAddress> silent_;   // hosts set aside, best first
    std::deque<ice::Candidate> aside_;    // of the peer, which the agent does not know yet
    std::vector<NamedCandidate> named_;   // of the peer, whose names are looked for
    std::optional<Instant> named_until_;  // while there are some
    std::vector<std::string> unresolved_;
    Gathering remote_gathering_ = Gathering::Ongoing;
    std::optional<SocketAddress> newest_;  // of the hosts that came later
    std::optional<Instant> checks_began_;
    std::optional<Instant> unlikely_from_;  // from when on they are tried without a route, too
    std::vector<IpAddress> peers_;          // what relays permit
    std::optional<Instant> gathering_deadline_;
    Description local_;
    std::optional<Selected> selected_;
    std::optional<SocketAddress> previous_origin_;  // of the pair kept at a restart
    std::deque<Queued> queued_;
    Bytes current_transmit_;
    std::deque<Event> events_;
};

}  // namespace stile::connect
