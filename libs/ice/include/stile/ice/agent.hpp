// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/machine.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/ice/candidate_table.hpp>
#include <stile/ice/checklist.hpp>
#include <stile/ice/connection.hpp>
#include <stile/ice/connection_table.hpp>
#include <stile/ice/connectivity_check.hpp>
#include <stile/ice/consent.hpp>
#include <stile/ice/credentials.hpp>
#include <stile/ice/events.hpp>
#include <stile/ice/outstanding_check.hpp>
#include <stile/ice/pacer.hpp>
#include <stile/ice/remote_parameters.hpp>

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace stile::ice {

struct AgentConfig {
    // RFC 8445 Section 6.1.1: who started the exchange is controlling.
    Role role = Role::Controlling;
    std::uint16_t components = 1;  // 1 to limits::most_components; their IDs count from 1
    // RFC 8445 Section 14.2. One other than 50 ms must be told to the peer; the higher value is
    // used.
    Duration ta = std::chrono::milliseconds{50};
    std::size_t most_pairs = limits::most_pairs;  // RFC 8445 Section 6.1.2.5
    // How long the controlling agent, once a pair is valid, lets better ones be tried before it
    // nominates. Data flows meanwhile. A relayed pair waits longer: what is nominated stays.
    Duration nomination_patience = std::chrono::seconds{3};
    Duration relayed_nomination_patience = std::chrono::seconds{10};
    // RFC 8863 Section 4: not failed before. The time of one unanswered transaction.
    Duration pac = std::chrono::milliseconds{39500};
    // How long a TCP pair may take to be connected, and then its check to be answered: Ti of RFC
    // 8489 Section 6.2.2.
    Duration ti = std::chrono::milliseconds{39500};
    std::optional<std::uint64_t> tie_breaker;  // absent: random, as it should be
    // To be told to the peer as the ICE option "renomination".
    Renomination renomination = Renomination::Offered;
};

// What to do with the pair in use at a restart. RFC 8445 Section 12.1 wants data to stay on it
// until a new one is nominated; a host whose network is gone cannot wait for that.
enum class PreviousPair : std::uint8_t { Keep, Abandon };

// A full ICE agent for one data stream over UDP and TCP: RFC 8445, with late candidates (RFC 8838),
// patience (RFC 8863), consent (RFC 7675) and candidates over TCP (RFC 6544). It holds no socket,
// clock or random source.
//
// Use: make it; tell the peer local_credentials() and each candidate that add_local_candidate()
// returned; give it the peer's parameters and candidates as they come. Everything may come in any
// order and late. Each Transmit leaves from path.local, which is the base of a candidate; for a
// relayed candidate it is the relayed address, and who calls wraps and unwraps TURN.
//
// Checks leave in handle_timeout only, one a call and at most one in Ta, or as the connection opens
// for which the turn was used; answers and consent requests are not paced.
//
// Who adds TCP candidates listens at each passive and simultaneous-open one, hands in what it
// accepts, does what ConnectionWanted and ConnectionReleased say, and puts RFC 4571 frames around
// what goes through a connection. Who adds none has nothing to do with connections: no pair has
// one. The connections that the agent has not released are the caller's to close when the agent
// goes.
//
// After any input: poll_transmit and poll_event until empty, then
// poll_timeout.
class Agent {
public:
    // Requires: config within the limits it names; ta at least limits::least_ta; patience positive.
    Agent(Instant now, AgentConfig config, crypto::RandomStream random);

    // What the peer has to know; new ones after restart().
    const Credentials& local_credentials() const { return session_.local; }

    // Starts the checks. RFC 8445 Section 6. Other credentials than those in use need a restart.
    [[nodiscard]] std::expected<void, CredentialsError> set_remote(Instant now,
                                                                   const RemoteParameters& remote);
    // The same for a full peer that proposes no pacing.
    [[nodiscard]] std::expected<void, CredentialsError> set_remote_credentials(
        Instant now, const Credentials& credentials) {
        return set_remote(now, {.credentials = credentials, .kind = PeerKind::Full, .ta = {}});
    }

    // The candidate to tell the peer, at once (RFC 8838 Section 10), with priority and foundation.
    [[nodiscard]] std::expected<Candidate, CandidateError> add_local_candidate(
        Instant now, const GatheredCandidate& gathered);
    [[nodiscard]] std::expected<void, CandidateError> add_remote_candidate(Instant now,
                                                                           Candidate candidate);
    // No more will come. RFC 8838 Sections 13 and 14. Nomination need not wait for them then.
    // Remote candidates that come all the same are refused; local ones are taken.
    void end_of_local_candidates(Instant now);
    void end_of_remote_candidates(Instant now);

    // The socket or relay is gone, and with it every pair that uses it. RFC 8445 Section 5.1.1.4.
    // Of active TCP candidates it is the address, with any port.
    void remove_base(Instant now, const SocketAddress& base, Transport transport = Transport::Udp);
    // The relay has this address still, but is reached by another socket. What was sent from it
    // lately may be lost: its pairs that work, or are being tried, are checked again at once.
    void handle_base_moved(Instant now, const SocketAddress& base);
    // A check could not be sent, or a hard ICMP error came back. RFC 8445 Section 7.2.5.2.2.
    void handle_send_failed(Instant now, const Path& path);

    // RFC 8445 Section 9: new credentials and no candidates; roles stay. For a restart that the
    // peer began, call this and then set_remote.
    void restart(Instant now, PreviousPair previous = PreviousPair::Keep);

    // After a restart: what the peer tells now no longer has the address of the pair that is kept.
    // The first valid pair of the new generation takes over, rather than the first nominated one.
    void doubt_previous(Instant now);

    // A datagram that looks like STUN. NotMine: it belongs to another user of the socket.
    Verdict handle_datagram(Instant now, const Path& path, BytesView datagram);

    // The connection that ConnectionWanted asked for is open; path is its 4-tuple.
    void handle_connected(Instant now, ConnectionId id, const Path& path);
    // It is not; the id is used no longer. A simultaneous open that was refused or timed out is
    // asked for again after a while, with a new id.
    void handle_connect_failed(Instant now, ConnectionId id, ConnectFailure failure);
    // A connection came in at a passive or simultaneous-open candidate. Empty: close it, there is
    // no use for it or no room.
    [[nodiscard]] std::optional<ConnectionId> handle_accepted(Instant now, const Path& path);
    // An open connection ended, by the peer or the network; the id is used no longer. If the
    // selected pair was on it, ConsentExpired says so.
    void handle_connection_closed(Instant now, ConnectionId id);
    // What an RFC 4571 frame held: the first ones of each connection, and later those that look
    // like STUN. NotMine: data. What comes before any check is consumed, and the connection
    // released.
    Verdict handle_frame(Instant now, ConnectionId id, BytesView frame);

    // Application data of the peer came so; worth telling where it is not the selected way. Who
    // sends on another one has left that. While a restart runs, data goes the way that the peer's
    // does, and a controlling agent nominates it where that may be done anew. Only a pair that our
    // own checks have shown to work is followed.
    void handle_data(Instant now, const Flow& flow);

    void handle_timeout(Instant now);
    // The same where several agents share a limit on their checks together. RFC 8445 Section 14.2.
    void handle_timeout(Instant now, Pacer& shared);

    // The payload lives until the next non-const call.
    std::optional<AgentTransmit> poll_transmit();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    State state() const { return state_; }
    Role role() const { return role_; }
    // Where data of the component goes now; empty where there is no consent to send.
    std::optional<Path> selected(ComponentId component = {}) const;
    // The same with the connection, if the path is one.
    std::optional<Flow> selected_flow(ComponentId component = {}) const;
    // Each pair with what became of it, by falling priority.
    std::vector<PairReport> pairs() const;
    const LocalCandidates& local_candidates() const { return local_; }
    const RemoteCandidates& remote_candidates() const { return remote_; }

private:
    // One generation's credentials and the keys made of them.
    struct Session {
        Credentials local;
        stun::IntegrityKey local_key;
        std::optional<Credentials> remote;
        std::optional<stun::IntegrityKey> remote_key;
        std::string check_username;  // of our requests; once remote is known
    };
    struct Selected {
        PairId pair;
        Flow flow;
        SocketAddress base;
        Selection selection = Selection::Provisional;
        std::uint32_t check_priority = 0;
        Consent consent;
        Instant overtakes_until{};  // the peer's data on other pairs was sent before
    };
    // The peer's data on another pair than the selected one.
    struct Heard {
        PairId pair;
        Instant when;
    };
    struct Component {
        ComponentId id;
        std::optional<Selected> selected;
        std::optional<Instant> first_valid;
        std::optional<PairId> nominating;
        // A pair that was in use is lost, and the peer goes on sending by it until it hears of
        // another.
        bool nominates_at_once = false;
        // The nominated pair is lost; until when another one may take over.
        std::optional<Instant> takeover_until;
        std::uint32_t nomination_number = 0;  // of the latest; 0 where none has one
        std::optional<Heard> heard;           // where our check has not proven the pair
        bool nominated() const { return selected && selected->selection == Selection::Nominated; }
    };
    // The generation before a restart.
    struct Previous {
        struct Pair {
            ComponentId component;
            Selected selected;
        };
        // Doubtful: in use until the component has a valid pair.
        enum class Standing : std::uint8_t { Trusted, Doubtful };
        Session session;
        std::vector<Pair> pairs;  // in use until the component has a nominated pair
        Standing standing = Standing::Trusted;
        // Once none is: until when the peer's requests with the old credentials are answered.
        std::optional<Instant> answer_until;
    };
    struct EarlyCheck {
        Flow flow;
        std::string sender;  // the peer's fragment
        CheckContent content;
    };
    struct Outgoing {
        Flow flow;
        Bytes payload;
    };

    static Session new_session(crypto::RandomStream& random);
    void see(Instant now);
    void advance(Instant now, Pacer* shared);

    // agent_checks.cpp: making pairs and sending checks.
    void pair_local(std::uint16_t local);
    void pair_remote(std::uint16_t remote);
    void pair(std::uint16_t local, std::uint16_t remote);
    CandidatePair make_pair(std::uint16_t local, std::uint16_t remote) const;
    void recompute_priorities();
    bool may_check() const { return state_ == State::Running || state_ == State::Completed; }
    bool has_due_check(Instant now) const;
    bool take_slot(Instant now, Pacer* shared);
    bool send_one_check(Instant now);
    bool retransmit_one(Instant now);
    void drop_cancelled(Instant now);
    void start_check(Instant now, CandidatePair& pair);
    void send_check(Instant now, CandidatePair& pair, const Flow& flow);
    Bytes request_of(const OutstandingCheck& check) const;
    Duration rto() const;
    void cancel_checks(PairId pair);
    void erase_checks(PairId pair);
    std::optional<Instant> next_check_time() const;

    // agent_requests.cpp: the server side.
    Verdict handle_message(Instant now, const Flow& flow, const stun::MessageView& message);
    Verdict handle_request(Instant now, const Flow& flow, const stun::MessageView& request);
    bool settle_roles(const CheckContent& content);
    bool is_of_interest(const Component& its, const CandidatePair& pair) const;
    void process_check(Instant now, const Flow& flow, const CheckContent& content);
    CandidatePair* pair_for_check(const Flow& flow, std::uint16_t local,
                                  const CheckContent& content);
    std::optional<std::uint16_t> learn_remote(const SocketAddress& source, ComponentId id,
                                              const Protocol& protocol,
                                              const CheckContent& content);
    std::optional<std::uint16_t> replaceable_remote(Nomination nomination) const;
    void remember_early(const Flow& flow, std::string_view sender, const CheckContent& content);
    void process_early_checks(Instant now);
    void switch_role();

    // agent_responses.cpp: the client side.
    Verdict handle_response(Instant now, const Flow& flow, const stun::MessageView& response);
    void finish_check(Instant now, std::size_t index, const Flow& flow,
                      const stun::MessageView& response);
    void handle_success(Instant now, const OutstandingCheck& check, const SocketAddress& mapped,
                        std::optional<Duration> round_trip);
    void handle_error(Instant now, const OutstandingCheck& check, std::uint16_t code);
    void handle_role_conflict(Instant now, const OutstandingCheck& check);
    std::uint16_t valid_local_candidate(const CandidatePair& pair, const SocketAddress& mapped,
                                        std::uint32_t priority);
    bool handle_consent_response(Instant now, const Flow& flow, const stun::MessageView& response);

    // agent_connections.cpp: TCP. RFC 6544.
    Flow flow_of(const CandidatePair& pair) const;
    CandidatePair* pair_on(const Flow& flow);
    std::optional<std::uint16_t> local_of(const Flow& flow) const;
    std::optional<Flow> connect(Instant now, CandidatePair& pair);
    void bind(ConnectionId connection, PairId pair);
    void prove(const Flow& flow);
    Verdict handle_not_ice(Instant now, ConnectionId id);
    void give_up_attempt(Instant now, ConnectionId id, PairError error);
    void lose_connection(Instant now, ConnectionId id, PairError error);
    void update_connections(Instant now);
    bool is_needed(const Connection& connection) const;
    void release_unneeded();

    // agent_spares.cpp: what stands by while another pair is nominated.
    bool is_relayed(const CandidatePair& pair, Side side) const;
    void choose_spares(Component& component);
    bool is_being_checked(PairId pair) const;
    std::optional<Instant> spare_check_due(const CandidatePair& pair) const;
    void check_spares(Instant now);

    // agent_selection.cpp: valid pairs, nomination, consent and what they make of the state.
    Component& component(ComponentId id);
    enum class Purpose : std::uint8_t { Data, Nomination };
    const CandidatePair* best_valid(ComponentId id, Purpose purpose) const;
    bool is_stale(const CandidatePair& pair) const;
    void recheck_stale(Component& component);
    void select_best(Instant now, Component& component);
    void select(Instant now, Component& component, CandidatePair& pair, Selection selection);
    void nominate(Instant now, CandidatePair& pair);
    void consider_nomination(Instant now, Component& component);
    void consider_renomination(Component& component);
    void revive_pairs(ComponentId id);
    void consider_nominations(Instant now);
    void begin_nomination(Component& component, PairId pair);
    bool is_superseded(const Component& component, const CandidatePair& by) const;
    bool has_chance(const Component& component) const;
    std::optional<Instant> nomination_deadline(const Component& component) const;
    bool may_find_better(const Component& component, const CandidatePair& best) const;
    void fail_pair(Instant now, CandidatePair& pair, PairError error);
    void lose_selected(Instant now, Component& component, PairError error);
    void update_consents(Instant now);
    void send_consent_check(Instant now, const Session& session, Selected& selected);
    void evaluate_failure();
    void fail(FailureReason reason);
    void set_state(State state);

    // agent_following.cpp: the pair from before a restart, and the peer's data.
    bool has_previous(ComponentId id) const;
    void lose_previous(Instant now, std::size_t index, PairError error);
    void release_previous(Instant now, ComponentId id);
    static void expect_overtaken(Instant now, Selected& selected,
                                 std::optional<Duration> round_trip);
    void consider_following(Instant now, Component& component);
    void doubt_better(Component& component, PairId followed);

    void queue_transmit(const Flow& flow, Bytes payload);
    void queue_event(Event event);
    void rest();

    AgentConfig config_;
    crypto::RandomStream random_;
    Instant now_;  // the latest seen
    Role role_;
    State state_ = State::Waiting;
    std::optional<FailureReason> failure_;  // in State::Failed
    bool local_ended_ = false;
    bool remote_ended_ = false;
    bool renominates_ = false;  // both sides offered it
    std::uint8_t role_changes_ = 0;
    std::uint8_t triggered_in_a_row_ = 0;
    std::uint64_t tie_breaker_;
    Session session_;
    std::optional<Previous> previous_;
    LocalCandidates local_;
    RemoteCandidates remote_;
    Checklist checklist_;
    std::vector<OutstandingCheck> checks_;
    std::vector<Component> components_;
    std::vector<EarlyCheck> early_checks_;
    ConnectionTable connections_;
    Pacer pacer_;
    std::optional<Instant> shared_slot_;   // reserved at the shared pacer
    std::optional<Instant> pac_deadline_;  // while it runs; RFC 8863
    std::vector<Outgoing> transmits_;
    std::size_t transmits_taken_ = 0;  // from the front of transmits_
    Bytes current_transmit_;
    std::vector<Event> events_;
};

}  // namespace stile::ice
