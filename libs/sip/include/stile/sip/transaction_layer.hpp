// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/sip/client_transaction.hpp>
#include <stile/sip/flow.hpp>
#include <stile/sip/invite_client_transaction.hpp>
#include <stile/sip/invite_server_transaction.hpp>
#include <stile/sip/message.hpp>
#include <stile/sip/message_builder.hpp>
#include <stile/sip/server_transaction.hpp>
#include <stile/sip/transport_kind.hpp>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>

namespace stile::sip {

struct ClientTransactionId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(ClientTransactionId, ClientTransactionId) = default;
};
struct ServerTransactionId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(ServerTransactionId, ServerTransactionId) = default;
};

// What a driver tells of a flow when it opens. For UDP a flow begins with the first datagram from
// an address that has none, or with the wish to send there.
struct Flow {
    FlowId id;
    TransportKind transport = TransportKind::Udp;
    SocketAddress remote;  // RFC 3261 Section 18.2.1: what `received` and `rport` are compared with
    SentBy sent_by;        // what our Via and Contact say on this flow
};

// Why a request was not sent.
enum class SendError : std::uint8_t {
    UnknownFlow,          // closed, or never opened
    TooManyTransactions,  // the table is full
};

// The reason of a client transaction's end without a final response.
enum class ClientFailure : std::uint8_t { TimedOut, TransportFailed };

struct TransactionLayerConfig {
    TransactionTimers timers;
    // Stands in every branch after the cookie: names the shard that a response belongs to.
    std::string branch_prefix;
    std::size_t most_client_transactions;
    std::size_t most_server_transactions;
};

// All transactions of one element and the flows that they use. RFC 3261 Section 17. Matches
// messages to transactions (Sections 17.1.3 and 17.2.3), hands what concerns it to the transaction
// user as events, and sends what the transactions and the user want sent.
//
// Requests without the branch cookie of RFC 3261 are matched by Request-URI, From tag, Call-ID,
// CSeq and top Via. The To tag is left out of that comparison: an ACK has one that its INVITE had
// not, and no two transactions of one RFC 2543 client differ in it alone.
class TransactionLayer {
public:
    // A new request that is not an ACK or CANCEL; respond() is due. The top Via says where it came
    // from.
    struct RequestReceived {
        ServerTransactionId transaction;
        FlowId flow;
        Message request;
    };
    // The ACK of a 2xx. It matches a dialog, not a transaction.
    struct AckReceived {
        FlowId flow;
        Message request;
    };
    // respond() is due to `transaction`. `invite` is what it cancels, empty if that is unknown.
    struct CancelReceived {
        ServerTransactionId transaction;
        std::optional<ServerTransactionId> invite;
        FlowId flow;
        Message request;
    };
    // Any response but those absorbed by the transaction. Several 2xx may answer one INVITE.
    struct ResponseReceived {
        ClientTransactionId transaction;
        FlowId flow;
        Message response;
    };
    // No final response will come. The last event of its transaction.
    struct ClientFailed {
        ClientTransactionId transaction;
        ClientFailure failure;
    };
    // An INVITE's client transaction that was answered is over. The last event of its transaction.
    struct InviteEnded {
        ClientTransactionId transaction;
    };
    // A final response other than 2xx to an INVITE was not acknowledged.
    struct AckTimedOut {
        ServerTransactionId transaction;
    };
    using Event = std::variant<RequestReceived, AckReceived, CancelReceived, ResponseReceived,
                               ClientFailed, InviteEnded, AckTimedOut>;

    struct Counters {
        std::uint64_t requests_received = 0;
        std::uint64_t responses_received = 0;
        std::uint64_t retransmissions_received = 0;
        std::uint64_t requests_rejected = 0;  // unsound, or no room for them
        std::uint64_t responses_dropped = 0;  // unsound, or without a transaction
        std::uint64_t messages_sent = 0;
        std::uint64_t timeouts = 0;
    };

    TransactionLayer(TransactionLayerConfig config, crypto::RandomStream random);

    // Inputs. Messages of a flow that was not opened are dropped.
    void handle_flow_opened(Instant now, Flow flow);
    // Fails the client transactions on it. Server transactions live on and absorb retransmissions.
    void handle_flow_closed(Instant now, FlowId flow);
    void handle_message(Instant now, FlowId flow, Message message);
    // Answers bytes that are no message where that can be done.
    void handle_parse_failure(Instant now, FlowId flow, const ParseFailure& failure);
    void handle_timeout(Instant now);

    // The Via for a new request on a flow, with a branch of its own. `branch_tail` is appended: a
    // proxy's loop detection value. Requires: the flow is open.
    [[nodiscard]] Via make_via(FlowId flow, std::string_view branch_tail = {});
    // Requires: the top Via is of make_via() for this flow; not an ACK.
    [[nodiscard]] std::expected<ClientTransactionId, SendError> send_request(
        Instant now, FlowId flow, const Message& request);
    // Cancels an INVITE as soon as RFC 3261 Section 9.1 lets us: after the first provisional
    // response. `reason` is the value of a Reason header field (RFC 3326) or empty. Without a final
    // response 64*T1 after the CANCEL the transaction ends with ClientFailed. Nothing happens to
    // one that is answered or gone.
    void cancel(Instant now, ClientTransactionId invite, std::string_view reason = {});
    // Forgets a client transaction: no further event. A response to it is dropped.
    void abandon(ClientTransactionId transaction);
    // Nothing happens if the transaction is over.
    void respond(Instant now, ServerTransactionId transaction, const Message& response);
    // There will be no response to this non-INVITE request. RFC 4320 Section 4.2.
    void abandon(ServerTransactionId transaction);
    // Outside of any transaction: the ACK of a 2xx, a keep-alive. Dropped if the flow is not open.
    void send(FlowId flow, Bytes bytes);

    const Flow* find_flow(FlowId flow) const;
    // Is the server transaction still there?
    bool is_open(ServerTransactionId transaction) const;
    // A To tag for responses to this request: the same for its retransmissions. RFC 3261 Section
    // 8.2.7.
    std::string stateless_tag(const Message& request) const;

    // Outputs. Bounded by the tables: a transaction has at most one message waiting.
    [[nodiscard]] std::optional<Outgoing> poll_transmit();
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

    const Counters& counters() const { return counters_; }
    std::size_t client_transactions() const { return client_keys_.size(); }
    std::size_t server_transactions() const { return server_keys_.size(); }

private:
    using Machine = std::variant<InviteClientTransaction, ClientTransaction,
                                 InviteServerTransaction, ServerTransaction>;
    // A CANCEL that waits for a provisional response, and its Reason.
    struct CancelWanted {
        std::string reason;
    };
    struct Entry {
        FlowId flow;
        std::string key;
        Machine machine;
        std::optional<CancelWanted> cancel_wanted;
        std::optional<Instant> cancel_deadline;  // 64*T1 after the CANCEL
        std::optional<Instant> queued;           // where it stands in deadlines_
        bool is_silent = false;                  // nobody is interested in its events
        bool is_answered = false;                // a final response was delivered
    };
    using Entries = std::map<std::uint64_t, Entry>;

    void handle_request(Instant now, const Flow& flow, Message request);
    void handle_new_request(Instant now, const Flow& flow, Message request, std::string key);
    void handle_ack(Instant now, FlowId flow, Message request);
    void handle_response(Instant now, FlowId flow, Message response);
    void reject(const Flow& flow, const Message& request, Status status, std::string_view reason);
    void send_cancel(Instant now, std::uint64_t invite);
    Entries::iterator insert(FlowId flow, std::string key, Machine machine);
    void settle(Instant now, Entries::iterator entry);
    void report_failure(std::uint64_t id, const Entry& entry, ClientFailure failure);
    void erase(Entries::iterator entry);
    Entries::iterator find_client(ClientTransactionId transaction);
    Entries::iterator find_server(ServerTransactionId transaction);

    TransactionLayerConfig config_;
    crypto::RandomStream random_;
    std::string tag_secret_;
    std::uint64_t last_id_ = 0;
    std::map<FlowId, Flow> flows_;
    Entries entries_;
    std::map<std::string, std::uint64_t, std::less<>> client_keys_;
    std::map<std::string, std::uint64_t, std::less<>> server_keys_;
    std::set<std::pair<FlowId, std::uint64_t>> client_flows_;
    DeadlineQueue<std::uint64_t> deadlines_;
    std::deque<Outgoing> outgoing_;
    std::deque<Event> events_;
    Counters counters_;
};

// The ACK that a client transaction sends for a final response other than 2xx. RFC 3261 Section
// 17.1.1.3. Requires: both are of one INVITE.
Message make_ack(const Message& invite, const Message& response);
// RFC 3261 Section 9.1. `reason` is the value of a Reason header field or empty.
Message make_cancel(const Message& invite, std::string_view reason);

}  // namespace stile::sip
