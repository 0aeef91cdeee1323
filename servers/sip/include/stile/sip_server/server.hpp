// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/caller_preferences.hpp>
#include <stile/sip_server/authenticator.hpp>
#include <stile/sip_server/location.hpp>
#include <stile/sip_server/proxy.hpp>
#include <stile/sip_server/registrar.hpp>
#include <stile/sip_server/routing.hpp>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace stile::sip_server {

struct ServerConfig {
    OwnNames own;  // the first domain is the digest realm's default
    std::string realm;
    std::string software;  // Server; empty sends none
    ShardId shard;
    Epoch epoch;      // of this start, random
    Bytes flow_key;   // at least 16 octets; may be new at every start
    Bytes nonce_key;  // at least 16 octets; equal on servers that share nonces
    AccountClass default_class = AccountClass::Modern;
    Md5Transports md5_transports = Md5Transports::SecureOnly;
    Duration nonce_lifetime = std::chrono::minutes{5};
    RegistrarConfig registrar;
    sip::FeaturelessTargets featureless = sip::FeaturelessTargets::OutsideOfDemand;
    ProxyConfig proxy;  // its realm is set from this one
    sip::TransactionTimers timers;
    std::size_t most_bindings = sip_server::most_bindings;
    std::size_t most_transactions = sip_server::most_transactions;
};

struct PersistBatch {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(PersistBatch, PersistBatch) = default;
};
enum class PersistResult : std::uint8_t { Written, Failed };

// Registrar, location service and proxy of a domain in one machine. RFC 3261 Sections 10 and 16. No
// sockets, store or resolver: flows are the driver's, and what takes time is asked by events and
// answered by commands, in any order.
//
// Who may do what: a REGISTER and every request that leaves the domain, or that claims to be from
// it, needs a proof: a flow with a TLS client certificate, a flow of a connection that has shown a
// digest before, or a digest now. Requests from elsewhere to users of the domain need none.
class Server {
public:
    // Answer by handle_account().
    struct AccountWanted {
        AccountQuery query;
        std::string user;
    };
    // Write these together, then handle_persisted(): a 200 to REGISTER waits for it.
    struct PersistBindings {
        PersistBatch batch;
        std::vector<BindingChange> changes;
    };
    using RouteWanted = sip_server::RouteWanted;  // answer by handle_route()
    using Event = std::variant<AccountWanted, PersistBindings, RouteWanted>;

    struct Counters {
        std::uint64_t registrations = 0;  // accepted REGISTER requests
        std::uint64_t registrations_refused = 0;
        std::uint64_t challenges = 0;
        std::uint64_t auth_failures = 0;
        std::uint64_t requests_refused = 0;  // by the proxy's own rules
        std::uint64_t acks_dropped = 0;      // nowhere to send them
    };

    Server(Instant now, WallTime wall_now, ServerConfig config, crypto::RandomStream random);

    // At the start, before any flow: what the store knows. Records that do not parse, are over or
    // do not fit are left out; returns how many were taken.
    std::size_t load_bindings(Instant now, const std::vector<BindingRecord>& records);
    // The wall clock jumped or drifted: call it now and then.
    void set_wall_time(Instant now, WallTime wall_now);

    // Inputs. `certificate_user`: the user whose certificate the TLS client has proven.
    void handle_flow_opened(Instant now, sip::Flow flow,
                            std::optional<std::string> certificate_user = std::nullopt);
    void handle_flow_closed(Instant now, sip::FlowId flow);
    void handle_message(Instant now, sip::FlowId flow, sip::Message message);
    void handle_parse_failure(Instant now, sip::FlowId flow, const sip::ParseFailure& failure);
    void handle_ping(Instant now, sip::FlowId flow);  // CR LF CR LF; RFC 5626 Section 5.4
    void handle_timeout(Instant now);

    // The application's answers. Late or repeated ones are ignored.
    void handle_account(Instant now, AccountQuery query, std::optional<AccountRecord> account);
    void handle_persisted(Instant now, PersistBatch batch, PersistResult result);
    void handle_route(Instant now, RouteQuery query, std::optional<sip::FlowId> flow);

    // An administrator's command: the bindings are gone when its batch is written.
    void remove_bindings(Instant now, std::string_view user);

    // Outputs.
    [[nodiscard]] std::optional<sip::Outgoing> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    const LocationTable& locations() const { return locations_; }
    const Counters& counters() const { return counters_; }
    const sip::TransactionLayer::Counters& transaction_counters() const {
        return layer_.counters();
    }
    const Proxy::Counters& proxy_counters() const { return proxy_.counters(); }
    std::size_t flow_count() const { return flows_.size(); }

private:
    struct FlowState {
        std::optional<std::string> certificate_user;
        std::set<std::string, std::less<>> users;  // shown by digest on this connection
        std::uint32_t auth_failures = 0;

        bool is_of(std::string_view user) const {
            return !user.empty() && (certificate_user == user || users.contains(user));
        }
        bool has_user() const { return certificate_user || !users.empty(); }
    };
    struct Received {
        sip::ServerTransactionId transaction;
        sip::FlowId flow;
        sip::Message request;
    };
    // Whether the sender has shown that it is who From says.
    enum class Proof : std::uint8_t { Shown, Missing };
    // Tells questions for an ACK's way from the proxy's, which count by themselves.
    static constexpr std::uint64_t ack_query_bit = std::uint64_t{1} << 63U;
    // What goes on when the account is known.
    enum class Purpose : std::uint8_t { Register, Proxy, Lookup };
    struct AwaitsAccount {
        Purpose purpose;
        Received received;
        std::string user;
    };
    struct AwaitsStore {
        sip::ServerTransactionId transaction;
        sip::Message response;
        sip::Message failure;  // if it could not be written
    };
    struct AwaitsAckRoute {
        sip::Message ack;
    };
    struct Waiting {
        std::variant<AwaitsAccount, AwaitsStore, AwaitsAckRoute> what;
        std::optional<Instant> queued;
    };

    Proxy::Context proxy_context() { return {.layer = layer_, .tokens = tokens_}; }
    RouteKnowledge route_knowledge() const {
        return {.own = config_.own, .tokens = tokens_, .successors = successors_, .layer = layer_};
    }
    WallTime wall(Instant now) const;
    void drain(Instant now);
    void handle_event(Instant now, sip::TransactionLayer::RequestReceived event);
    void handle_event(Instant now, sip::TransactionLayer::AckReceived event);
    void handle_event(Instant now, sip::TransactionLayer::CancelReceived event);
    void handle_event(Instant now, sip::TransactionLayer::ResponseReceived event);
    void handle_event(Instant now, sip::TransactionLayer::ClientFailed event);
    void handle_event(Instant now, sip::TransactionLayer::InviteEnded event);
    void handle_event(Instant, sip::TransactionLayer::AckTimedOut) {}

    // Registrar (server_register.cpp).
    void handle_register(Instant now, Received received);
    void authenticate_register(Instant now, AwaitsAccount waiting,
                               const std::optional<AccountRecord>& account);
    void finish_register(Instant now, Received received, const std::string& user);
    void persist_removals(Instant now, const std::vector<BindingRemoved>& removed);

    // Proxy (server_proxy.cpp).
    void handle_proxy_request(Instant now, Received received);
    bool refuse_unsound(Instant now, const Received& received);
    void authenticate_proxy(Instant now, AwaitsAccount waiting,
                            const std::optional<AccountRecord>& account);
    void demand_proof(Instant now, Received received);
    void route(Instant now, Received received, Proof proof);
    void route_to_user(Instant now, Received received, const sip::UriView& target,
                       std::string loop);
    void answer_options(Instant now, const Received& received);
    std::vector<TargetGroup> find_targets(Instant now, const Received& received,
                                          std::string_view user,
                                          const sip::CallerPreferences& preferences);

    // Both.
    std::string user_of(const sip::UriView& uri) const;
    bool is_known(sip::FlowId flow, std::string_view user) const;
    void note_user(sip::FlowId flow, const std::string& user);
    // A request came by `to` that names `from` as its sender's flow.
    void note_moved(sip::FlowId from, sip::FlowId to);
    Authenticator::Source source(sip::FlowId flow) const;
    // Sends 401 or 407, or 403 where there is nothing to challenge with.
    void challenge(Instant now, const Received& received, sip::Status status,
                   const std::optional<AccountRecord>& account, sip::Staleness staleness);
    void note_auth_failure(sip::FlowId flow);
    void reply(Instant now, const Received& received, sip::Status status,
               std::string_view reason = {});
    void ask_account(Instant now, AwaitsAccount waiting);
    std::optional<std::uint64_t> wait(Instant now, decltype(Waiting::what) what);
    std::optional<Waiting> take_waiting(std::uint64_t id);
    void give_up(Instant now, Waiting waiting);

    ServerConfig config_;
    crypto::RandomStream random_;
    sip::TransactionLayer layer_;
    FlowTokens tokens_;
    Authenticator authenticator_;
    LocationTable locations_;
    FlowSuccessors successors_;
    Proxy proxy_;
    Instant clock_instant_;
    WallTime clock_wall_;
    std::uint64_t last_id_ = 0;
    std::map<sip::FlowId, FlowState> flows_;
    std::map<sip::FlowId, FlowState> departed_;  // closed, and whose they were
    std::map<std::uint64_t, Waiting> waiting_;
    DeadlineQueue<std::uint64_t> waiting_deadlines_;
    std::deque<Event> events_;
    Counters counters_;
};

}  // namespace stile::sip_server
