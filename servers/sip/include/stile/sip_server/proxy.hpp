// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/sip/transaction_layer.hpp>
#include <stile/sip_server/flow_token.hpp>
#include <stile/sip_server/routing.hpp>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stile::sip_server {

struct ProxyConfig {
    std::string realm;  // challenges in this name from elsewhere are not passed on
    // Timer C: more than three minutes. RFC 3261 Section 16.6 step 11.
    Duration timer_c = std::chrono::seconds{185};
    // How long one group rings while another one could be tried after it.
    Duration serial_wait = std::chrono::seconds{20};
};

// Whether the far end of a hop is a user agent that can only be reached by its flow.
enum class Hop : std::uint8_t { Client, Server };

// One place to send a request to.
struct Target {
    sip::Uri uri;                      // the new Request-URI
    std::vector<sip::NameAddr> route;  // Path values, put before the request's own Route
    std::optional<sip::FlowId> flow;   // absent: the application finds one for the next hop
    Hop hop = Hop::Server;
    std::vector<Target> alternates = {};  // other flows of the same instance, tried after a failure
};
using TargetGroup = std::vector<Target>;  // tried at once

struct RouteQuery {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(RouteQuery, RouteQuery) = default;
};
// A flow to this URI is needed: resolve it by RFC 3263 and open one, or refuse.
struct RouteWanted {
    RouteQuery query;
    sip::Uri next_hop;
};

struct ForwardRequest {
    sip::ServerTransactionId transaction;
    sip::FlowId source;
    Hop source_hop;
    sip::Message request;             // after route preprocessing
    std::string loop;                 // loop_value() of the request as it came
    std::vector<TargetGroup> groups;  // in the order of trying; at least one target
};

// Response contexts: forwards requests to targets, in parallel and one group after the other, and
// chooses what goes back. RFC 3261 Sections 16.6 to 16.10, RFC 5393, RFC 6026 Section 7.3, RFC
// 4320. Part of a Server, whose transactions it uses.
class Proxy {
public:
    struct Context {
        sip::TransactionLayer& layer;
        const FlowTokens& tokens;
    };
    struct Counters {
        std::uint64_t requests_forwarded = 0;
        std::uint64_t responses_forwarded = 0;
        std::uint64_t branches_cancelled = 0;
        std::uint64_t challenges_stripped = 0;
    };

    explicit Proxy(ProxyConfig config) : config_(std::move(config)) {}

    void forward(Instant now, Context context, ForwardRequest request);
    // An ACK of a 2xx, which no transaction answers for. RFC 3261 Section 16.11 way of forwarding.
    void forward_ack(Context context, const sip::Message& ack, sip::FlowId flow);
    // RFC 3261 Section 16.10. False where there is no such request here.
    bool cancel(Instant now, Context context, sip::ServerTransactionId invite,
                std::string_view reason);

    void handle_route(Instant now, Context context, RouteQuery query,
                      std::optional<sip::FlowId> flow);
    void handle_response(Instant now, Context context, sip::ClientTransactionId transaction,
                         sip::Message response);
    void handle_failure(Instant now, Context context, sip::ClientTransactionId transaction,
                        sip::ClientFailure failure);
    void handle_invite_ended(sip::ClientTransactionId transaction);
    // Nobody waits for the answer any more.
    void handle_source_closed(Instant now, Context context, sip::FlowId flow);
    void handle_timeout(Instant now, Context context);

    [[nodiscard]] std::optional<RouteWanted> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return deadlines_.next(); }

    const Counters& counters() const { return counters_; }
    std::size_t size() const { return forks_.size(); }

private:
    enum class BranchState : std::uint8_t { Routing, Trying, Done };
    struct Branch {
        Target target;
        BranchState state = BranchState::Routing;
        std::optional<RouteQuery> query;
        std::optional<sip::ClientTransactionId> transaction;
        std::optional<Instant> timer_c;
        std::uint32_t provisionals = 0;
    };
    // A final response that may be the best one: of a branch, or our own where there is no message.
    struct Final {
        sip::Status status;
        std::optional<sip::Message> response;
    };
    enum class Progress : std::uint8_t {
        Open,      // looking for an answer
        Closing,   // cancelled, or a 6xx: no further group
        Answered,  // a final response has gone back
    };
    struct Fork {
        sip::ServerTransactionId transaction;
        sip::FlowId source;
        Hop source_hop;
        sip::Message request;
        std::string loop;
        std::deque<TargetGroup> waiting;
        std::vector<Branch> branches;
        std::vector<Final> finals;
        Progress progress = Progress::Open;
        std::uint32_t breadth = 0;
        std::optional<Instant> group_deadline;
        std::optional<Instant> queued;

        bool is_invite() const { return request.method() == sip::Method::Invite; }
        bool is_pending() const;
    };
    using Forks = std::map<std::uint64_t, Fork>;
    struct Place {
        std::uint64_t fork;
        std::size_t branch;
    };

    void start_group(Instant now, Context context, Forks::iterator fork);
    void start_branch(Instant now, Context context, Forks::iterator fork, std::size_t index);
    void send_branch(Instant now, Context context, Forks::iterator fork, std::size_t index,
                     sip::FlowId flow);
    sip::Message make_forwarded(Context context, const Fork& fork, const Target& target,
                                sip::FlowId flow);
    void finish_branch(Instant now, Context context, Forks::iterator fork, std::size_t index,
                       Final final);
    void accept(Instant now, Context context, Forks::iterator fork, std::size_t index,
                const sip::Message& response);
    void cancel_branches(Instant now, Context context, Fork& fork, std::string_view reason);
    void conclude(Instant now, Context context, Forks::iterator fork);
    void settle(Instant now, Context context, Forks::iterator fork);
    void drop_branch(Fork& fork, std::size_t index);
    std::optional<sip::Message> strip(const sip::Message& response);

    ProxyConfig config_;
    std::uint64_t last_id_ = 0;
    Forks forks_;
    std::map<sip::ServerTransactionId, std::uint64_t> by_server_;
    std::map<sip::ClientTransactionId, Place> by_client_;
    std::map<RouteQuery, Place> by_query_;
    DeadlineQueue<std::uint64_t> deadlines_;
    std::deque<RouteWanted> events_;
    Counters counters_;
};

// Which of these final responses goes back. RFC 3261 Section 16.7 step 6. Requires: not empty.
std::size_t best_response(const std::vector<sip::Status>& statuses);

}  // namespace stile::sip_server
