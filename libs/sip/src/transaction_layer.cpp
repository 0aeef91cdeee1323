// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/transaction_layer.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/sip/message_edit.hpp>
#include <stile/sip/validation.hpp>

#include <utility>

namespace stile::sip {

static_assert(Machine<TransactionLayer>);

namespace {

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};

// An octet that no token, host or URI holds.
constexpr char separator = '\n';

std::string key_of(std::string_view branch, std::string_view method) {
    std::string key{branch};
    key += separator;
    key += method;
    return key;
}

// RFC 3261 Section 17.2.3: branch, sent-by and method, where an ACK stands for its INVITE.
std::string server_key(const Message& request, const ViaView& via, std::string_view method) {
    if (via.has_rfc3261_branch()) {
        std::string key = key_of(*via.branch(), method);
        key += separator;
        key += to_lower(via.sent_by.copy().to_string());
        return key;
    }
    // An RFC 2543 client.
    std::string key = key_of(request.call_id().value_or(""), method);
    const auto add = [&key](std::string_view part) {
        key += separator;
        key += part;
    };
    add(request.request_uri_text());
    if (const auto tag = request.from_tag()) add(tag->value_or(""));
    if (const auto cseq = request.cseq()) add(std::to_string(cseq->number));
    add(via.copy().to_string());
    return key;
}

std::string_view transaction_method(const Message& request) {
    return request.method() == Method::Ack ? method_text(Method::Invite) : request.method_text();
}

}  // namespace

TransactionLayer::TransactionLayer(TransactionLayerConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      random_(std::move(random)),
      tag_secret_(to_hex(random_.bytes(16))) {}

void TransactionLayer::handle_flow_opened(Instant, Flow flow) {
    const FlowId id = flow.id;
    flows_.insert_or_assign(id, std::move(flow));
}

void TransactionLayer::handle_flow_closed(Instant now, FlowId flow) {
    flows_.erase(flow);
    for (auto next = client_flows_.lower_bound({flow, 0});
         next != client_flows_.end() && next->first == flow;) {
        const auto entry = entries_.find(next->second);
        ++next;  // settle() may erase the one that it stood on
        STILE_ASSERT(entry != entries_.end());
        std::visit(Overloaded{[&](InviteClientTransaction& t) { t.handle_transport_error(now); },
                              [&](ClientTransaction& t) { t.handle_transport_error(now); },
                              [](InviteServerTransaction&) {}, [](ServerTransaction&) {}},
                   entry->second.machine);
        settle(now, entry);
    }
}

void TransactionLayer::handle_message(Instant now, FlowId flow, Message message) {
    const auto found = flows_.find(flow);
    if (found == flows_.end()) return;
    if (message.is_response()) {
        handle_response(now, flow, std::move(message));
    } else {
        handle_request(now, found->second, std::move(message));
    }
}

void TransactionLayer::handle_parse_failure(Instant, FlowId flow, const ParseFailure& failure) {
    const auto found = flows_.find(flow);
    if (found == flows_.end()) return;
    if (!failure.head || !failure.head->is_request()) return;
    reject(found->second, *failure.head, failure.answer, parse_error_text(failure.error));
}

void TransactionLayer::reject(const Flow& flow, const Message& request, Status status,
                              std::string_view reason) {
    ++counters_.requests_rejected;
    if (!is_answerable(request)) return;  // an ACK as well
    const std::string tag = stateless_tag(request);
    MessageBuilder response = make_response(request, status, {.reason = reason, .to_tag = tag});
    if (status == status::ServiceUnavailable) response.add_number(HeaderName::RetryAfter, 10);
    send(flow.id, response.serialize());
}

void TransactionLayer::handle_request(Instant now, const Flow& flow, Message request) {
    ++counters_.requests_received;
    if (const auto sound = validate_request(request); !sound) {
        reject(flow, request, sound.error().status, sound.error().reason);
        return;
    }
    const auto via = request.top_via();
    STILE_ASSERT(via.has_value());
    std::string key = server_key(request, *via, transaction_method(request));
    const Via as_sent = via->copy();
    Via marked = as_sent;
    mark_source(marked, flow.remote);
    if (marked != as_sent) request = MessageEdit{request}.mark_source(flow.remote).build();

    const auto found = server_keys_.find(key);
    if (found == server_keys_.end()) {
        if (request.method() == Method::Ack) {
            events_.emplace_back(AckReceived{.flow = flow.id, .request = std::move(request)});
        } else {
            handle_new_request(now, flow, std::move(request), std::move(key));
        }
        return;
    }
    const auto entry = entries_.find(found->second);
    STILE_ASSERT(entry != entries_.end());
    if (request.method() == Method::Ack) {
        auto* invite = std::get_if<InviteServerTransaction>(&entry->second.machine);
        if (invite && invite->handle_ack(now) == Disposition::Deliver) {
            events_.emplace_back(AckReceived{.flow = flow.id, .request = std::move(request)});
        }
    } else {
        ++counters_.retransmissions_received;
        // The answer goes to where the request came from now.
        entry->second.flow = flow.id;
        std::visit(Overloaded{[](InviteClientTransaction&) {}, [](ClientTransaction&) {},
                              [&](InviteServerTransaction& t) { t.handle_retransmission(now); },
                              [&](ServerTransaction& t) { t.handle_retransmission(now); }},
                   entry->second.machine);
    }
    settle(now, entry);
}

void TransactionLayer::handle_new_request(Instant now, const Flow& flow, Message request,
                                          std::string key) {
    if (server_keys_.size() >= config_.most_server_transactions) {
        reject(flow, request, status::ServiceUnavailable, {});
        return;
    }
    const Reliability kind = reliability(flow.transport);
    if (request.method() == Method::Invite) {
        Bytes trying = make_response(request, status::Trying).serialize();
        const auto entry = insert(
            flow.id, key, InviteServerTransaction{now, std::move(trying), kind, config_.timers});
        server_keys_.emplace(std::move(key), entry->first);
        settle(now, entry);
        events_.emplace_back(RequestReceived{.transaction = ServerTransactionId{entry->first},
                                             .flow = flow.id,
                                             .request = std::move(request)});
        return;
    }
    const auto entry = insert(flow.id, key, ServerTransaction{now, kind, config_.timers});
    const ServerTransactionId id{entry->first};
    server_keys_.emplace(std::move(key), entry->first);
    if (request.method() != Method::Cancel) {
        events_.emplace_back(
            RequestReceived{.transaction = id, .flow = flow.id, .request = std::move(request)});
        return;
    }
    const auto via = request.top_via();
    const auto invite = server_keys_.find(server_key(request, *via, method_text(Method::Invite)));
    std::optional<ServerTransactionId> cancelled;
    if (invite != server_keys_.end()) cancelled = ServerTransactionId{invite->second};
    events_.emplace_back(CancelReceived{
        .transaction = id, .invite = cancelled, .flow = flow.id, .request = std::move(request)});
}

void TransactionLayer::handle_response(Instant now, FlowId flow, Message response) {
    ++counters_.responses_received;
    const auto dropped = [this] { ++counters_.responses_dropped; };
    if (!validate_response(response)) return dropped();
    const auto via = response.top_via();
    const auto cseq = response.cseq();
    if (!via || !cseq || !via->branch()) return dropped();
    const auto found = client_keys_.find(key_of(*via->branch(), cseq->method_text()));
    if (found == client_keys_.end()) return dropped();
    const auto entry = entries_.find(found->second);
    STILE_ASSERT(entry != entries_.end());

    const ResponseClass kind = response_class(response.status().code);
    Disposition disposition = Disposition::Absorbed;
    if (auto* invite = std::get_if<InviteClientTransaction>(&entry->second.machine)) {
        disposition = invite->handle_response(now, kind);
        if (disposition == Disposition::Acknowledge) {
            const auto request = parse_message(invite->request());
            STILE_ASSERT(request.has_value());
            invite->acknowledge(to_bytes(make_ack(*request, response).wire()));
        }
        if (disposition != Disposition::Absorbed && kind != ResponseClass::Provisional) {
            entry->second.is_answered = true;
            entry->second.cancel_wanted.reset();
            entry->second.cancel_deadline.reset();
        }
    } else if (auto* other = std::get_if<ClientTransaction>(&entry->second.machine)) {
        disposition = other->handle_response(now, kind);
    }
    const std::uint64_t id = entry->first;
    if (disposition == Disposition::Absorbed) {
        ++counters_.retransmissions_received;
    } else if (!entry->second.is_silent) {
        events_.emplace_back(ResponseReceived{
            .transaction = ClientTransactionId{id}, .flow = flow, .response = std::move(response)});
    }
    if (kind == ResponseClass::Provisional && entry->second.cancel_wanted) send_cancel(now, id);
    settle(now, entries_.find(id));
}

void TransactionLayer::handle_timeout(Instant now) {
    while (const auto id = deadlines_.expired(now)) {
        const auto entry = entries_.find(*id);
        STILE_ASSERT(entry != entries_.end());
        if (entry->second.cancel_deadline && *entry->second.cancel_deadline <= now) {
            // RFC 3261 Section 9.1: considered cancelled, and destroyed.
            ++counters_.timeouts;
            report_failure(*id, entry->second, ClientFailure::TimedOut);
            erase(entry);
            continue;
        }
        std::visit([now](auto& transaction) { transaction.handle_timeout(now); },
                   entry->second.machine);
        settle(now, entry);
    }
}

Via TransactionLayer::make_via(FlowId flow, std::string_view branch_tail) {
    const auto found = flows_.find(flow);
    STILE_ASSERT(found != flows_.end());
    Via via;
    via.transport = transport_text(found->second.transport);
    via.sent_by = found->second.sent_by;
    std::string branch{branch_cookie};
    branch += config_.branch_prefix;
    branch += to_hex(random_.array<8>());
    branch += branch_tail;
    via.parameters.set("branch", branch);
    // RFC 3581 Section 3, and RFC 5626 Section 4.3 for what is behind a NAT.
    via.parameters.set_flag("rport");
    return via;
}

std::expected<ClientTransactionId, SendError> TransactionLayer::send_request(
    Instant now, FlowId flow, const Message& request) {
    const auto found = flows_.find(flow);
    if (found == flows_.end()) return std::unexpected(SendError::UnknownFlow);
    if (client_keys_.size() >= config_.most_client_transactions) {
        return std::unexpected(SendError::TooManyTransactions);
    }
    const auto via = request.top_via();
    STILE_ASSERT(via.has_value());
    STILE_ASSERT(via->branch().has_value());
    STILE_ASSERT(request.method() != Method::Ack);
    std::string key = key_of(*via->branch(), request.method_text());
    STILE_ASSERT(!client_keys_.contains(key));
    const Reliability kind = reliability(found->second.transport);
    Bytes wire = to_bytes(request.wire());
    const auto entry =
        request.method() == Method::Invite
            ? insert(flow, key, InviteClientTransaction{now, std::move(wire), kind, config_.timers})
            : insert(flow, key, ClientTransaction{now, std::move(wire), kind, config_.timers});
    client_keys_.emplace(std::move(key), entry->first);
    client_flows_.emplace(flow, entry->first);
    const ClientTransactionId id{entry->first};
    settle(now, entry);
    return id;
}

void TransactionLayer::cancel(Instant now, ClientTransactionId invite, std::string_view reason) {
    const auto entry = find_client(invite);
    if (entry == entries_.end()) return;
    const auto* machine = std::get_if<InviteClientTransaction>(&entry->second.machine);
    if (!machine || entry->second.cancel_deadline) return;
    switch (machine->state()) {
        case InviteClientTransaction::State::Calling:
            entry->second.cancel_wanted = CancelWanted{std::string{reason}};
            return;
        case InviteClientTransaction::State::Proceeding:
            entry->second.cancel_wanted = CancelWanted{std::string{reason}};
            send_cancel(now, entry->first);
            return;
        case InviteClientTransaction::State::Accepted:
        case InviteClientTransaction::State::Completed:
        case InviteClientTransaction::State::Terminated:
            return;
    }
}

void TransactionLayer::send_cancel(Instant now, std::uint64_t invite) {
    const auto entry = entries_.find(invite);
    STILE_ASSERT(entry != entries_.end());
    const auto& machine = std::get<InviteClientTransaction>(entry->second.machine);
    const std::string reason = std::exchange(entry->second.cancel_wanted, {})->reason;
    const FlowId flow = entry->second.flow;
    const auto request = parse_message(machine.request());
    STILE_ASSERT(request.has_value());
    // A full table or a closed flow leaves the INVITE to its deadline.
    const auto sent = send_request(now, flow, make_cancel(*request, reason));
    if (sent) find_client(*sent)->second.is_silent = true;
    entry->second.cancel_deadline = now + config_.timers.transaction_lifetime();
    settle(now, entry);
}

void TransactionLayer::abandon(ClientTransactionId transaction) {
    if (const auto entry = find_client(transaction); entry != entries_.end()) erase(entry);
}

void TransactionLayer::respond(Instant now, ServerTransactionId transaction,
                               const Message& response) {
    const auto entry = find_server(transaction);
    if (entry == entries_.end()) return;
    const ResponseClass kind = response_class(response.status().code);
    Bytes wire = to_bytes(response.wire());
    std::visit(Overloaded{[](InviteClientTransaction&) {}, [](ClientTransaction&) {},
                          [&](auto& t) { t.respond(now, kind, std::move(wire)); }},
               entry->second.machine);
    settle(now, entry);
}

void TransactionLayer::abandon(ServerTransactionId transaction) {
    if (const auto entry = find_server(transaction); entry != entries_.end()) erase(entry);
}

void TransactionLayer::send(FlowId flow, Bytes bytes) {
    if (!flows_.contains(flow)) return;
    ++counters_.messages_sent;
    outgoing_.push_back(Outgoing{.flow = flow, .bytes = std::move(bytes)});
}

const Flow* TransactionLayer::find_flow(FlowId flow) const {
    const auto found = flows_.find(flow);
    return found == flows_.end() ? nullptr : &found->second;
}

bool TransactionLayer::is_open(ServerTransactionId transaction) const {
    const auto found = entries_.find(transaction.value);
    return found != entries_.end() && found->second.machine.index() >= 2;
}

std::string TransactionLayer::stateless_tag(const Message& request) const {
    const auto via = request.first_value(HeaderName::Via).value_or("");
    const auto digest = crypto::digest(
        crypto::DigestAlgorithm::Sha256,
        {as_bytes(tag_secret_), as_bytes(via), as_bytes(request.call_id().value_or(""))});
    return to_hex(digest.bytes().first(8));
}

TransactionLayer::Entries::iterator TransactionLayer::insert(FlowId flow, std::string key,
                                                             Machine machine) {
    const auto [entry, is_new] = entries_.emplace(
        ++last_id_, Entry{.flow = flow, .key = std::move(key), .machine = std::move(machine)});
    STILE_ASSERT(is_new);
    return entry;
}

// Takes what the transaction wants to send and tell, and removes it when it has ended.
void TransactionLayer::settle(Instant, Entries::iterator entry) {
    Entry& it = entry->second;
    const std::uint64_t id = entry->first;
    const bool ended = std::visit(
        [&](auto& transaction) {
            while (const auto wire = transaction.poll_transmit()) send(it.flow, to_bytes(*wire));
            return transaction.state() == std::decay_t<decltype(transaction)>::State::Terminated;
        },
        it.machine);
    const auto failed = [&](ClientFailure failure) {
        if (failure == ClientFailure::TimedOut) ++counters_.timeouts;
        report_failure(id, it, failure);
    };
    std::visit(
        Overloaded{[&](InviteClientTransaction& t) {
                       const auto event = t.poll_event();
                       if (event && !it.is_answered) {
                           failed(std::holds_alternative<TransportFailed>(*event)
                                      ? ClientFailure::TransportFailed
                                      : ClientFailure::TimedOut);
                       } else if (ended && !it.is_silent) {
                           events_.emplace_back(InviteEnded{ClientTransactionId{id}});
                       }
                   },
                   [&](ClientTransaction& t) {
                       if (const auto event = t.poll_event()) {
                           failed(std::holds_alternative<TransportFailed>(*event)
                                      ? ClientFailure::TransportFailed
                                      : ClientFailure::TimedOut);
                       }
                   },
                   [&](InviteServerTransaction& t) {
                       const auto event = t.poll_event();
                       if (event &&
                           std::holds_alternative<InviteServerTransaction::AckTimedOut>(*event)) {
                           ++counters_.timeouts;
                           events_.emplace_back(AckTimedOut{ServerTransactionId{id}});
                       }
                   },
                   [](ServerTransaction& t) { (void)t.poll_event(); }},
        it.machine);
    if (ended) {
        erase(entry);
        return;
    }
    const auto wanted =
        std::visit([](const auto& transaction) { return transaction.poll_timeout(); }, it.machine);
    deadlines_.update(id, it.queued, earlier(wanted, it.cancel_deadline));
}

void TransactionLayer::report_failure(std::uint64_t id, const Entry& entry, ClientFailure failure) {
    if (entry.is_silent) return;
    events_.emplace_back(ClientFailed{.transaction = ClientTransactionId{id}, .failure = failure});
}

void TransactionLayer::erase(Entries::iterator entry) {
    Entry& it = entry->second;
    deadlines_.update(entry->first, it.queued, std::nullopt);
    if (it.machine.index() < 2) {
        client_keys_.erase(it.key);
        client_flows_.erase({it.flow, entry->first});
    } else {
        server_keys_.erase(it.key);
    }
    entries_.erase(entry);
}

TransactionLayer::Entries::iterator TransactionLayer::find_client(ClientTransactionId transaction) {
    const auto found = entries_.find(transaction.value);
    if (found == entries_.end() || found->second.machine.index() >= 2) return entries_.end();
    return found;
}

TransactionLayer::Entries::iterator TransactionLayer::find_server(ServerTransactionId transaction) {
    const auto found = entries_.find(transaction.value);
    if (found == entries_.end() || found->second.machine.index() < 2) return entries_.end();
    return found;
}

std::optional<Outgoing> TransactionLayer::poll_transmit() {
    if (outgoing_.empty()) return std::nullopt;
    Outgoing first = std::move(outgoing_.front());
    outgoing_.pop_front();
    return first;
}

std::optional<TransactionLayer::Event> TransactionLayer::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event first = std::move(events_.front());
    events_.pop_front();
    return first;
}

std::optional<Instant> TransactionLayer::poll_timeout() const { return deadlines_.next(); }

namespace {

// What ACK and CANCEL take from their INVITE.
MessageBuilder start_companion(const Message& invite, Method method, const Message& to_source) {
    const auto cseq = invite.cseq();
    STILE_ASSERT(cseq.has_value());
    MessageBuilder builder =
        MessageBuilder::request(method_text(method), invite.request_uri_text());
    builder.add(HeaderName::Via, invite.first_value(HeaderName::Via).value_or(""))
        .add(HeaderName::MaxForwards, "70")
        .copy(invite, HeaderName::Route)
        .copy(invite, HeaderName::From)
        .copy(to_source, HeaderName::To)
        .copy(invite, HeaderName::CallId)
        .add(CSeq{.number = cseq->number, .method = method});
    return builder;
}

}  // namespace

Message make_ack(const Message& invite, const Message& response) {
    return start_companion(invite, Method::Ack, response).build();
}

Message make_cancel(const Message& invite, std::string_view reason) {
    MessageBuilder builder = start_companion(invite, Method::Cancel, invite);
    if (!reason.empty()) builder.add(HeaderName::Reason, reason);
    return builder.build();
}

}  // namespace stile::sip
