// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/machine.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/ice/candidate_table.hpp>
#include <stile/ice/connectivity_check.hpp>
#include <stile/ice/credentials.hpp>
#include <stile/ice/events.hpp>
#include <stile/ice/remote_parameters.hpp>

#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace stile::ice {

struct LiteConfig {
    // Counts among lite agents only: with a full peer a lite agent is controlled. RFC 8445 Section
    // 6.1.1.
    Role role = Role::Controlled;
    std::uint16_t components = 1;  // 1 to limits::most_components; their IDs count from 1
    Renomination renomination = Renomination::Offered;
};

// A lite agent for one data stream over UDP: RFC 8445 Sections 5.2, 6.2, 7.3.2, 8.2 and 12.1.1. For
// hosts that everybody reaches at an address of their own, a server of conferences, say: it answers
// checks and consent requests, takes what the peer nominates, and sends no request itself. Behind a
// NAT it does not work.
//
// Use: make it; add the host addresses; tell the peer local_credentials(), the candidates and that
// this side is lite; give it the peer's parameters, and if the peer is lite too, its candidates and
// their end. After any input: poll_transmit and poll_event until empty, then poll_timeout.
class LiteAgent {
public:
    struct PairPicked {
        ComponentId component;
        Path path;
        Selection selection;  // Provisional: two lite agents that have to agree yet
    };
    using Event = std::variant<StateChanged, PairPicked>;

    // Requires: config within the limits it names.
    LiteAgent(Instant now, LiteConfig config, crypto::RandomStream random);

    // New ones after restart().
    const Credentials& local_credentials() const { return session_.local; }

    // A socket's address, one for each IP address and component. RFC 8445 Section 5.2 wants them
    // all added before the first is told to the peer: `families` says whether the host has IPv6,
    // which sets the priorities.
    enum class Families : std::uint8_t { V4Alone, WithV6 };
    [[nodiscard]] std::expected<Candidate, CandidateError> add_host(Instant now,
                                                                    const SocketAddress& socket,
                                                                    Families families,
                                                                    ComponentId component = {});

    // Other credentials than those in use need a restart.
    [[nodiscard]] std::expected<void, CredentialsError> set_remote(Instant now,
                                                                   const RemoteParameters& remote);
    // Needed with a lite peer only.
    [[nodiscard]] std::expected<void, CandidateError> add_remote_candidate(Instant now,
                                                                           Candidate candidate);
    void end_of_remote_candidates(Instant now);

    // Between lite agents. RFC 8445 Section 8.2: where there was a choice of pairs, the controlling
    // one tells the peer what it picked (RFC 8839 Section 5.2, a=remote-candidates).
    enum class Reconciliation : std::uint8_t {
        NotNeeded,
        WeTell,    // conclude() once the peer has answered
        PeerTells  // take_pairs() when it has
    };
    Reconciliation reconciliation() const;
    void conclude(Instant now);
    struct AgreedPair {
        ComponentId component;
        Path path;
    };
    // Both believe to be controlling, and the peer's word came first: this side is controlled then.
    // False, and nothing changed, if one of them is no pair of ours.
    [[nodiscard]] bool take_pairs(Instant now, std::span<const AgreedPair> pairs);

    // RFC 8445 Section 9. New credentials and no candidates; the selected pairs stay in use until
    // there are new ones. For a restart that the peer began, call this and then set_remote.
    void restart(Instant now);

    // A datagram that looks like STUN. NotMine: it belongs to another user of the socket.
    Verdict handle_datagram(Instant now, const Path& path, BytesView datagram);
    void handle_timeout(Instant now);

    // The payload lives until the next non-const call.
    std::optional<Transmit> poll_transmit();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    // Never Failed: that is for who sends checks to find out. RFC 7675 Section 1.
    State state() const { return state_; }
    Role role() const { return role_; }
    // Where data of the component goes now; empty until each component has a pair.
    std::optional<Path> selected(ComponentId component = {}) const;

private:
    struct Session {
        Credentials local;
        stun::IntegrityKey local_key;
        std::optional<Credentials> remote;
    };
    // A pair that the peer nominated, or one that two lite agents have.
    struct Valid {
        ComponentId component;
        Path path;
        PairPriority priority;
        std::uint32_t number = 0;  // of a nomination; 0 where it has none
        Instant heard;             // the latest check on it
    };
    struct EarlyNomination {
        Path path;
        std::string sender;  // the peer's fragment
        CheckContent content;
    };
    struct Component {
        ComponentId id;
        std::optional<Path> selected;
        Selection selection = Selection::Provisional;
        std::optional<Path> previous;  // of the generation before
    };
    struct Outgoing {
        Path path;
        Bytes payload;
    };

    static Session new_session(crypto::RandomStream& random);
    void see(Instant now) { now_ = std::max(now_, now); }
    Component& component(ComponentId id) { return components_[id.value - 1U]; }
    Verdict handle_request(const Path& path, const stun::MessageView& request);
    void remember_early(const Path& path, std::string_view sender, const CheckContent& content);
    void take_check(const Path& path, const CheckContent& content);
    Valid* valid_on(const Path& path);
    std::uint32_t remote_priority(const Path& path, const CheckContent& content) const;
    bool is_better(const Valid& candidate, const Valid& than) const;
    void settle();
    void pair_lite();
    void complete();
    void queue_transmit(const Path& path, Bytes payload);
    void queue_event(Event event);

    LiteConfig config_;
    crypto::RandomStream random_;
    Instant now_;
    Role role_;
    State state_ = State::Waiting;
    PeerKind peer_ = PeerKind::Full;
    bool remote_ended_ = false;
    bool renominates_ = false;
    Session session_;
    std::optional<Session> previous_;
    std::optional<Instant> answer_until_;  // the requests with the previous credentials
    LocalCandidates local_;
    RemoteCandidates remote_;
    std::vector<Component> components_;
    std::vector<Valid> valid_;
    std::vector<EarlyNomination> early_;
    std::deque<Outgoing> transmits_;
    Bytes current_transmit_;
    std::deque<Event> events_;
};

}  // namespace stile::ice
