// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/timer_table.hpp>
#include <stile/sip/agent_context.hpp>

#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::sip {

// Keep-alive and recovery times, RFC 5626 Sections 4.4.1, 4.4.2 and 4.5.
struct FlowTimes {
    Duration stream_ping = std::chrono::seconds{120};  // upper bound; the lower one is 80 % of it
    Duration datagram_ping = std::chrono::seconds{29};
    Duration pong_timeout = std::chrono::seconds{10};
    Duration base_all_failed = std::chrono::seconds{30};
    Duration base_some_alive = std::chrono::seconds{90};
    Duration most_wait = std::chrono::seconds{1800};
};

struct RegistrationConfig {
    Uri registrar;  // the domain: sip:example.org
    std::uint32_t reg_id = 1;
    std::uint32_t expires_seconds = 3600;
    std::vector<NameAddr> route;  // outbound proxy, if it is not the registrar
    FlowTimes times;
};

// One binding of one address of record over one flow at a time: registers, refreshes well before
// the end, keeps the flow alive, and asks for another flow when one fails. RFC 3261 Section 10.2,
// RFC 5626 Sections 4.2 to 4.5. Part of a UserAgent, whose transactions it uses.
class Registration {
public:
    enum class Outbound : std::uint8_t { Supported, Unsupported };
    enum class Failure : std::uint8_t {
        Unreachable,   // no answer, or the flow broke
        Rejected,      // a final response other than 2xx
        Unauthorized,  // the password is wrong, or the challenge is not for our account: no retry
        BadAnswer,     // a 2xx that does not name our contact
    };
    enum class State : std::uint8_t {
        Waiting,      // without flow: FlowWanted was said, or will be at the retry time
        Registering,  // a first REGISTER is under way on a flow
        Registered,
        Removing,
        Stopped,
    };

    // The binding stands; said after each refresh too.
    struct Registered {
        FlowId flow;
        std::chrono::seconds expires;
        Outbound outbound;
    };
    struct Failed {
        Failure failure;
        std::optional<Status> status;
        std::optional<Instant> retry_at;  // absent: it has stopped, start() it again
    };
    // The flow is dead; close it if it is not closed. FlowWanted follows.
    struct FlowFailed {
        FlowId flow;
    };
    // Open a connection and say so by use_flow(), or handle_flow_unavailable().
    struct FlowWanted {};
    // An unreliable flow needs a STUN Binding request now (RFC 5626 Section 4.4.2), which is for
    // the owner of the socket; without its answer call handle_flow_dead().
    struct KeepAliveDue {
        FlowId flow;
    };
    struct Removed {};  // the answer to stop(), or its timeout
    using Event = std::variant<Registered, Failed, FlowFailed, FlowWanted, KeepAliveDue, Removed>;

    Registration(AgentContext context, RegistrationConfig config);

    // Commands. A flow may be given at the start already; without one FlowWanted is said.
    void start(Instant now, AgentContext context, std::optional<FlowId> flow);
    void use_flow(Instant now, AgentContext context, FlowId flow);
    void stop(Instant now, AgentContext context);

    // Inputs.
    void handle_flow_unavailable(Instant now, AgentContext context);
    void handle_flow_dead(Instant now, AgentContext context, FlowId flow);
    void handle_pong(Instant now, AgentContext context, FlowId flow);
    void handle_response(Instant now, AgentContext context, ClientTransactionId transaction,
                         const Message& response);
    void handle_failure(Instant now, AgentContext context, ClientTransactionId transaction);
    void handle_timeout(Instant now, AgentContext context);

    // Outputs.
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return timers_.next(); }
    // The REGISTER under way.
    std::optional<ClientTransactionId> transaction() const { return transaction_; }

    State state() const { return state_; }
    std::optional<FlowId> flow() const { return flow_; }
    // Where requests outside of dialogs pass first; from Service-Route, RFC 3608.
    const std::vector<NameAddr>& service_route() const { return service_route_; }

private:
    enum class Timer : std::uint8_t { Retry, Refresh, Expiry, Ping, Pong, count };

    // RFC 5626 Section 4.5: whether the flow counts as successful.
    enum class FlowProof : std::uint8_t { Missing, Seen };

    void send_register(Instant now, AgentContext context, std::uint32_t expires_seconds);
    void handle_success(Instant now, AgentContext context, const Message& response);
    void handle_challenge(Instant now, AgentContext context, const Message& response);
    void fail(Instant now, AgentContext context, Failure failure, const Message* response);
    void stop_with(Failure failure, std::optional<Status> status);
    void schedule_ping(Instant now, AgentContext context);
    void drop_transaction(AgentContext context);
    void finish_removal();
    void note_proven_flow();

    RegistrationConfig config_;
    std::optional<DigestClient> digest_;
    std::string call_id_;
    std::string from_tag_;
    std::uint32_t sequence_ = 0;
    std::uint32_t asked_seconds_;
    State state_ = State::Stopped;
    std::optional<FlowId> flow_;
    std::optional<ClientTransactionId> transaction_;
    std::optional<std::chrono::seconds> flow_timer_;
    std::vector<NameAddr> service_route_;
    Outbound outbound_ = Outbound::Unsupported;
    bool asks_outbound_ = true;  // false after 439
    FlowProof proof_ = FlowProof::Missing;
    std::uint32_t consecutive_failures_ = 0;
    TimerTable<Timer> timers_;
    std::deque<Event> events_;
};

}  // namespace stile::sip
