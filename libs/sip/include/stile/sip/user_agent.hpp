// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/sip/call.hpp>
#include <stile/sip/registration.hpp>
#include <stile/sip/transaction_layer.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>

namespace stile::sip {

struct CallId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(CallId, CallId) = default;
};
struct RegistrationId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(RegistrationId, RegistrationId) = default;
};
struct RequestId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(RequestId, RequestId) = default;
};

// A request outside of any dialog: MESSAGE, OPTIONS, PUBLISH.
struct OutsideRequest {
    FlowId flow;
    std::string method;
    Uri target;
    std::vector<NameAddr> route;
    std::vector<HeaderLine> headers;
    std::optional<Body> body;
};

// One user's SIP element: transactions, registrations, calls. The application opens connections,
// frames streams and tells; flows are handles of its own. RFC 3261 Section 8.
//
// Order of calls: handle_flow_opened() before anything on that flow; after any input or command
// poll_transmit() and poll_event() until empty, then poll_timeout().
class UserAgent {
public:
    struct RegistrationEvent {
        RegistrationId registration;
        Registration::Event event;
    };
    // After Call::Ended the id is not valid for commands any more.
    struct CallEvent {
        CallId call;
        Call::Event event;
    };
    // A request outside of dialogs with a method of UserAgentConfig::methods. respond() is due.
    // OPTIONS is answered by the user agent, other methods with 405.
    struct RequestReceived {
        ServerTransactionId transaction;
        FlowId flow;
        Message request;
    };
    struct RequestAnswered {  // the final response
        RequestId request;
        Message response;
    };
    struct RequestFailed {
        RequestId request;
        ClientFailure failure;
    };
    using Event =
        std::variant<RegistrationEvent, CallEvent, RequestReceived, RequestAnswered, RequestFailed>;

    UserAgent(UserAgentConfig config, crypto::RandomStream random);

    // Inputs.
    void handle_flow_opened(Instant now, Flow flow);
    void handle_flow_closed(Instant now, FlowId flow);
    void handle_message(Instant now, FlowId flow, Message message);
    void handle_parse_failure(Instant now, FlowId flow, const ParseFailure& failure);
    void handle_ping(Instant now, FlowId flow);  // CR LF CR LF; answered. RFC 5626 Section 4.4.1
    void handle_pong(Instant now, FlowId flow);
    void handle_timeout(Instant now);

    // Registrations. With a flow that is open, or without: then FlowWanted is said first.
    std::expected<RegistrationId, CommandError> register_with(Instant now,
                                                              RegistrationConfig config,
                                                              std::optional<FlowId> flow);
    using Result = std::expected<void, CommandError>;
    // The answers to FlowWanted.
    Result use_flow(Instant now, RegistrationId registration, FlowId flow);
    Result flow_unavailable(Instant now, RegistrationId registration);
    // A keep-alive over UDP was answered, or was not.
    Result keep_alive_answered(Instant now, RegistrationId registration, FlowId flow);
    Result flow_dead(Instant now, RegistrationId registration, FlowId flow);
    // The last event is Removed; then the id is free.
    Result unregister(Instant now, RegistrationId registration);
    const Registration* find(RegistrationId registration) const;

    // Calls. See Call for when each is possible.
    std::expected<CallId, CommandError> invite(Instant now, InviteRequest request);
    Result ring(Instant now, CallId call, Status status = status::Ringing,
                const ResponseParts& parts = {});
    Result answer(Instant now, CallId call, const ResponseParts& parts);
    Result reject(Instant now, CallId call, Status status, const ResponseParts& parts = {});
    Result cancel(Instant now, CallId call, std::string_view reason = {});
    Result bye(Instant now, CallId call, const std::vector<HeaderLine>& headers = {});
    Result reinvite(Instant now, CallId call, const ResponseParts& parts);
    Result answer_reinvite(Instant now, CallId call, const ResponseParts& parts);
    Result reject_reinvite(Instant now, CallId call, Status status,
                           const ResponseParts& parts = {});
    std::expected<DialogRequestId, CommandError> request(Instant now, CallId call,
                                                         std::string_view method,
                                                         const ResponseParts& parts);
    // Calls on `old_flow` send their next requests on `new_flow`. Done by itself when a
    // registration has moved from one to the other.
    void replace_flow(FlowId old_flow, FlowId new_flow);
    const Call* find(CallId call) const;

    // Outside of dialogs.
    std::expected<RequestId, CommandError> request(Instant now, OutsideRequest request);
    // Answers a request that an event brought, within a dialog or not. Nothing happens if it came
    // too late: after most_answer_delay the client has given up.
    void respond(Instant now, ServerTransactionId transaction, Status status,
                 const ResponseParts& parts = {});

    // Outputs.
    [[nodiscard]] std::optional<Outgoing> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    const UserAgentConfig& config() const { return config_; }
    const TransactionLayer& transactions() const { return layer_; }
    std::size_t call_count() const { return calls_.size(); }

private:
    struct CallEntry {
        Call call;
        std::optional<Instant> queued;
        std::string merge_key;  // callee: what names the request apart from its branch
    };
    struct PendingRequest {
        OutsideRequest request;
        std::optional<DigestClient> digest;
        std::string call_id;
        std::string from_tag;
        std::uint32_t sequence = 0;
        ClientTransactionId transaction;
    };
    struct Unanswered {
        Message request;
        std::string to_tag;
        std::optional<Instant> queued;
    };
    using Owner = std::variant<RegistrationId, CallId, RequestId>;

    AgentContext context() { return {.layer = layer_, .random = random_, .config = config_}; }
    template <class Command>
    auto with_call(Instant now, CallId call, Command&& command)
        -> decltype(command(std::declval<Call&>()));
    template <class Command>
    Result with_registration(Instant now, RegistrationId registration, Command&& command);

    void drain_layer(Instant now);
    void handle_event(Instant now, TransactionLayer::RequestReceived event);
    void handle_event(Instant now, TransactionLayer::AckReceived event);
    void handle_event(Instant now, TransactionLayer::CancelReceived event);
    void handle_event(Instant now, TransactionLayer::ResponseReceived event);
    void handle_event(Instant now, TransactionLayer::ClientFailed event);
    void handle_event(Instant now, TransactionLayer::InviteEnded event);
    void handle_event(Instant, TransactionLayer::AckTimedOut) {
    }  // the peer is gone; so is the call

    void handle_new_call(Instant now, TransactionLayer::RequestReceived event);
    void handle_outside_request(Instant now, TransactionLayer::RequestReceived event);
    void handle_outside_response(Instant now, RequestId id, Message response);
    void answer_options(Instant now, ServerTransactionId transaction, const Message& request);
    bool send_outside(Instant now, RequestId id, PendingRequest& pending);
    void await_answer(Instant now, ServerTransactionId transaction, const Message& request,
                      std::string to_tag);
    void settle(Instant now, CallId id);
    void settle(Instant now, RegistrationId id);
    void reply(Instant now, ServerTransactionId transaction, const Message& request, Status status);
    bool takes_package(const Message& info) const;
    std::optional<CallId> call_of(const Message& request) const;

    UserAgentConfig config_;
    crypto::RandomStream random_;
    TransactionLayer layer_;
    std::uint64_t last_id_ = 0;
    std::map<RegistrationId, Registration> registrations_;
    std::map<RegistrationId, FlowId> registered_flows_;
    std::map<CallId, CallEntry> calls_;
    std::map<std::string, CallId, std::less<>> calls_by_tag_;
    std::map<std::string, CallId, std::less<>> calls_by_merge_key_;
    std::map<RequestId, PendingRequest> requests_;
    std::map<ClientTransactionId, Owner> owners_;
    std::map<ServerTransactionId, Unanswered> unanswered_;
    DeadlineQueue<CallId> call_deadlines_;
    DeadlineQueue<ServerTransactionId> answer_deadlines_;
    std::deque<Event> events_;
};

}  // namespace stile::sip
