// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/timer_table.hpp>
#include <stile/sip/agent_context.hpp>
#include <stile/sip/dialog.hpp>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::sip {

// What a call is asked for.
struct InviteRequest {
    FlowId flow;
    Uri target;
    std::vector<NameAddr> route;      // preloaded, usually a registration's service route
    std::vector<HeaderLine> headers;  // Accept-Contact, Request-Disposition, Subject, ...
    std::optional<Body> body;         // the offer
};

struct ResponseParts {
    std::string reason = {};  // phrase; empty: the default one
    std::vector<HeaderLine> headers = {};
    std::optional<Body> body = {};
};

// A request of ours within a call's dialog.
struct DialogRequestId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(DialogRequestId, DialogRequestId) = default;
};

// One INVITE usage from its first request to the end, on either side. RFC 3261 Sections 9, 13, 14
// and 15. Part of a UserAgent, whose transactions it uses; bodies are opaque.
class Call {
public:
    enum class Role : std::uint8_t { Caller, Callee };
    enum class State : std::uint8_t {
        Calling,      // caller: INVITE sent
        Proceeding,   // caller: a provisional response came
        Cancelling,   // caller: to be cancelled, the final response is awaited
        Incoming,     // callee: answer or reject
        Accepted,     // callee: 2xx sent, no ACK yet
        Established,  // both
        Ended,        // lingers until is_finished()
    };
    enum class EndReason : std::uint8_t {
        LocalBye,
        RemoteBye,
        LocalCancel,
        RemoteCancel,
        LocalReject,
        Rejected,         // a final response other than 2xx
        Unauthorized,     // challenged, and there is nothing to answer with
        TimedOut,         // no final response
        TransportFailed,  // the flow closed before the call was established
        NotAcknowledged,  // the ACK of our 2xx never came
        PeerGone,         // 408 or 481 to a request in the dialog. RFC 3261 Section 12.2.1.2
        BadAnswer,        // a 2xx from which no dialog can be made
    };

    struct Incoming {
        Message invite;
    };
    struct Progress {  // 101 to 199
        Message response;
    };
    struct Answered {  // caller: the 2xx was acknowledged
        Message response;
    };
    struct Acknowledged {  // callee: the ACK of the initial INVITE or of a re-INVITE
        Message ack;
    };
    struct Reinvited {  // answer_reinvite() or reject_reinvite() is due
        Message invite;
    };
    struct ReinviteAnswered {  // a final response; 491 asks to try again later, RFC 3261 14.1
        Message response;
    };
    struct ReinviteFailed {
        ClientFailure failure;
    };
    struct RequestReceived {  // UserAgent::respond() is due
        ServerTransactionId transaction;
        Message request;
    };
    struct RequestAnswered {
        DialogRequestId request;
        Message response;
    };
    struct RequestFailed {
        DialogRequestId request;
        ClientFailure failure;
    };
    // The last event. `message` is what brought the end, if a message did.
    struct Ended {
        EndReason reason;
        std::optional<Message> message;
    };
    using Event =
        std::variant<Incoming, Progress, Answered, Acknowledged, Reinvited, ReinviteAnswered,
                     ReinviteFailed, RequestReceived, RequestAnswered, RequestFailed, Ended>;

    // A caller: the INVITE leaves at once. Requires: the flow is open.
    Call(Instant now, AgentContext context, InviteRequest request);
    // A callee. Fails where the INVITE names no place to send requests to.
    static std::expected<Call, ParseError> incoming(Instant now, AgentContext context,
                                                    ServerTransactionId transaction, FlowId flow,
                                                    Message invite);

    using Result = std::expected<void, CommandError>;

    // Callee, before the answer. Requires: 101 <= status <= 199.
    Result ring(Instant now, AgentContext context, Status status, const ResponseParts& parts);
    Result answer(Instant now, AgentContext context, const ResponseParts& parts);
    // Requires: 300 <= status <= 699.
    Result reject(Instant now, AgentContext context, Status status, const ResponseParts& parts);
    // Caller, before the answer. `reason` is the value of a Reason header field, or empty. A 2xx
    // that is on its way nevertheless is acknowledged and ended by BYE.
    Result cancel(Instant now, AgentContext context, std::string_view reason);
    // Ends an established call; Ended is said at once. Before the ACK a callee's BYE waits for it.
    Result bye(Instant now, AgentContext context, const std::vector<HeaderLine>& headers);
    // Established, while no other re-INVITE is under way.
    Result reinvite(Instant now, AgentContext context, const ResponseParts& parts);
    bool may_reinvite() const {
        return state_ == State::Established && !reinvite_transaction_ && !remote_reinvite_ &&
               !unacknowledged_;
    }
    Result answer_reinvite(Instant now, AgentContext context, const ResponseParts& parts);
    Result reject_reinvite(Instant now, AgentContext context, Status status,
                           const ResponseParts& parts);
    // Any other request within the dialog, INFO for one; a caller may once an early dialog is
    // there. A callee's that overtakes its 2xx is answered with 481: before the ACK that does not
    // end the call.
    std::expected<DialogRequestId, CommandError> request(Instant now, AgentContext context,
                                                         std::string_view method,
                                                         const ResponseParts& parts);
    // Where the next requests leave, after the old flow was replaced.
    void use_flow(FlowId flow) { flow_ = flow; }

    // Inputs: what the transaction layer says about this call.
    void handle_response(Instant now, AgentContext context, ClientTransactionId transaction,
                         Message response);
    void handle_failure(Instant now, AgentContext context, ClientTransactionId transaction,
                        ClientFailure failure);
    void handle_invite_ended(ClientTransactionId transaction);
    void handle_request(Instant now, AgentContext context, ServerTransactionId transaction,
                        FlowId flow, Message request);
    void handle_ack(Instant now, AgentContext context, Message ack);
    void handle_cancel(Instant now, AgentContext context, ServerTransactionId transaction,
                       ServerTransactionId invite, Message cancel);
    void handle_flow_closed(Instant now, AgentContext context, FlowId flow);
    void handle_timeout(Instant now, AgentContext context);

    // Outputs.
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const { return timers_.next(); }
    // Ended, and no transaction needs the call any more.
    bool is_finished() const;
    // Client transactions started since the last call of this: their responses are for this call.
    std::vector<ClientTransactionId> take_started() { return std::exchange(started_, {}); }

    Role role() const { return role_; }
    State state() const { return state_; }
    FlowId flow() const { return flow_; }
    const std::string& local_tag() const { return local_tag_; }
    const std::string& call_id() const { return call_id_; }
    const Dialog* dialog() const { return dialog_ ? &*dialog_ : nullptr; }
    // Does this request, which bears our tag, belong to the call's dialog?
    bool owns_request(const Message& request) const;

private:
    // Retransmit, GiveUp: the 2xx that waits for its ACK. Ring: RFC 3261 leaves it to policy.
    enum class Timer : std::uint8_t { Retransmit, GiveUp, Ring, count };
    enum class Purpose : std::uint8_t { Bye, Reinvite, Other };
    struct Pending {
        Purpose purpose;
        DialogRequestId id;
        std::string method;
        ResponseParts parts;
        State sent_in = State::Established;
    };
    // A 2xx of ours without ACK.
    struct Unacknowledged {
        ServerTransactionId transaction;
        std::uint32_t sequence;
        Message response;
        Duration interval;
    };
    struct Fork {
        std::string remote_tag;
        Bytes ack;
    };
    struct RemoteReinvite {
        ServerTransactionId transaction;
        Message invite;
    };

    Call(AgentContext context, Role role, FlowId flow);

    bool send_invite(Instant now, AgentContext context);
    void handle_invite_response(Instant now, AgentContext context, Message response);
    void handle_progress(Message response);
    void handle_accept(Instant now, AgentContext context, Message response);
    void hang_up_fork(Instant now, AgentContext context, const Message& response);
    void handle_dialog_response(Instant now, AgentContext context, Pending pending,
                                Message response);
    bool may_retry(AgentContext context, const Message& response);
    Bytes make_ack(AgentContext context, const Dialog& dialog, const Message& response);
    std::expected<ClientTransactionId, CommandError> send_in_dialog(Instant now,
                                                                    AgentContext context,
                                                                    Dialog& dialog,
                                                                    Pending pending);
    void send_bye(Instant now, AgentContext context, const std::vector<HeaderLine>& headers);
    void accept_invite(Instant now, AgentContext context, ServerTransactionId transaction,
                       const Message& invite, const ResponseParts& parts);
    void refuse_invite(Instant now, AgentContext context, ServerTransactionId transaction,
                       const Message& invite, Status status, const ResponseParts& parts);
    bool awaits_first_ack() const;
    void handle_remote_invite(Instant now, AgentContext context, ServerTransactionId transaction,
                              Message request);
    void handle_bye(Instant now, AgentContext context, ServerTransactionId transaction,
                    Message request);
    void end(EndReason reason, std::optional<Message> message);

    Role role_;
    State state_;
    FlowId flow_;
    std::string call_id_;
    std::string local_tag_;
    std::optional<DigestClient> digest_;
    std::optional<InviteRequest> asked_;  // caller
    std::uint32_t sequence_ = 0;          // caller: of the last INVITE before a dialog
    std::optional<Message> invite_;       // caller: the last one sent; callee: the initial one
    std::optional<ClientTransactionId> invite_transaction_;  // caller, until it is over
    std::optional<ServerTransactionId> incoming_;            // callee
    std::optional<Dialog> dialog_;
    std::vector<Dialog> early_;
    std::map<std::uint32_t, Bytes> acks_;  // by the INVITE's CSeq: the last two
    std::vector<Fork> forks_;
    std::map<ClientTransactionId, Pending> pending_;
    std::optional<ClientTransactionId> reinvite_transaction_;
    std::optional<RemoteReinvite> remote_reinvite_;
    std::optional<Unacknowledged> unacknowledged_;
    std::optional<std::vector<HeaderLine>> bye_wanted_;  // after the ACK
    std::uint64_t last_request_ = 0;
    std::vector<ClientTransactionId> started_;
    TimerTable<Timer> timers_;
    std::deque<Event> events_;
};

}  // namespace stile::sip
