// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/transaction_layer.hpp>

#include <string>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;
using Layer = TransactionLayer;

constexpr Instant start{};

Message parsed(std::string text) {
    std::string wire;
    for (const char c : text) {
        if (c == '\n') wire += '\r';
        wire += c;
    }
    auto message = parse_message(to_bytes(wire));
    REQUIRE(message);
    return *std::move(message);
}

Layer make(TransportKind transport = TransportKind::Udp, std::size_t most = 8) {
    Layer layer{{.timers = {},
                 .branch_prefix = "s3.",
                 .most_client_transactions = most,
                 .most_server_transactions = most},
                crypto::RandomStream{crypto::seed_from_number(1)}};
    layer.handle_flow_opened(start,
                             Flow{.id = FlowId{1},
                                  .transport = transport,
                                  .remote = SocketAddress::parse("198.51.100.7:6000").value(),
                                  .sent_by = {.host = Host::parse("proxy.example").value()}});
    return layer;
}

std::string request_text(const std::string& method, const std::string& branch = "z9hG4bKx",
                         const std::string& to_tag = "", const std::string& cseq = "1") {
    return method + " sip:b@example.org SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=" + branch +
           "\nMax-Forwards: 70\nFrom: <sip:a@example.org>;tag=f1\nTo: <sip:b@example.org>" +
           (to_tag.empty() ? "" : ";tag=" + to_tag) + "\nCall-ID: call1\nCSeq: " + cseq + " " +
           method + "\n\n";
}

std::string next_sent(Layer& layer) {
    const auto out = layer.poll_transmit();
    return out ? to_text(out->bytes) : "";
}

template <class Kind>
Kind expect(Layer& layer) {
    auto event = layer.poll_event();
    REQUIRE(event);
    auto* kind = std::get_if<Kind>(&*event);
    REQUIRE(kind);
    return std::move(*kind);
}

ClientTransactionId send(Layer& layer, Method method) {
    MessageBuilder builder = MessageBuilder::request(method_text(method), "sip:b@example.org");
    builder.add(layer.make_via(FlowId{1}))
        .add(HeaderName::MaxForwards, "70")
        .add(HeaderName::Route, "<sip:p.example;lr>")
        .add(HeaderName::From, "<sip:a@example.org>;tag=f1")
        .add(HeaderName::To, "<sip:b@example.org>")
        .add(HeaderName::CallId, "c2")
        .add(CSeq{.number = 5, .method = method});
    const auto sent = layer.send_request(start, FlowId{1}, builder.build());
    REQUIRE(sent);
    return *sent;
}

TEST_CASE("sip transaction layer: a request is told once, its repetition gets the same response") {
    Layer layer = make();
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS")));
    const auto received = expect<Layer::RequestReceived>(layer);
    // RFC 3261 Section 18.2.1: sent-by and the source differ.
    CHECK(received.request.top_via()->received() == IpAddress::parse("198.51.100.7"));
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS")));
    CHECK_FALSE(layer.poll_event());
    CHECK(next_sent(layer) == "");
    layer.respond(start, received.transaction, make_response(received.request, status::Ok).build());
    const std::string first = next_sent(layer);
    CHECK(first.starts_with("SIP/2.0 200"));
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS")));
    CHECK(next_sent(layer) == first);
    CHECK_FALSE(layer.poll_event());
    layer.handle_timeout(start + 32s);
    CHECK(layer.server_transactions() == 0);
}

TEST_CASE("sip transaction layer: branch, sent-by and method tell transactions apart") {
    Layer layer = make();
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS")));
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS", "z9hG4bKy")));
    layer.handle_message(start, FlowId{1}, parsed(request_text("INFO")));
    std::string other_host = request_text("OPTIONS");
    other_host.replace(other_host.find("10.0.0.1"), 8, "10.0.0.2");
    layer.handle_message(start, FlowId{1}, parsed(other_host));
    CHECK(layer.server_transactions() == 4);
}

TEST_CASE("sip transaction layer: requests without the cookie match as RFC 2543 had it") {
    Layer layer = make();
    layer.handle_message(start, FlowId{1}, parsed(request_text("INVITE", "1")));
    const auto invite = expect<Layer::RequestReceived>(layer);
    layer.handle_message(start, FlowId{1}, parsed(request_text("INVITE", "1")));
    CHECK_FALSE(layer.poll_event());
    layer.handle_message(start, FlowId{1}, parsed(request_text("INVITE", "1", "", "2")));
    expect<Layer::RequestReceived>(layer);
    layer.respond(start, invite.transaction,
                  make_response(invite.request, status::BusyHere, {.to_tag = "t"}).build());
    CHECK(next_sent(layer).starts_with("SIP/2.0 486"));
    // The ACK has the To tag of the response.
    layer.handle_message(start, FlowId{1}, parsed(request_text("ACK", "1", "t")));
    CHECK_FALSE(layer.poll_event());
    layer.handle_timeout(start + 5s);
    CHECK_FALSE(layer.is_open(invite.transaction));
}

TEST_CASE("sip transaction layer: the ACK of a failure is absorbed, that of a 2xx is told") {
    Layer layer = make();
    layer.handle_message(start, FlowId{1}, parsed(request_text("INVITE")));
    const auto invite = expect<Layer::RequestReceived>(layer);
    layer.respond(start, invite.transaction,
                  make_response(invite.request, status::Ok, {.to_tag = "t"}).build());
    layer.handle_message(start, FlowId{1}, parsed(request_text("ACK", "z9hG4bKother", "t")));
    expect<Layer::AckReceived>(layer);
    // Some clients use the INVITE's branch.
    layer.handle_message(start, FlowId{1}, parsed(request_text("ACK", "z9hG4bKx", "t")));
    expect<Layer::AckReceived>(layer);
}

TEST_CASE("sip transaction layer: CANCEL finds its INVITE, or nothing") {
    Layer layer = make();
    layer.handle_message(start, FlowId{1}, parsed(request_text("CANCEL", "z9hG4bKnone")));
    CHECK_FALSE(expect<Layer::CancelReceived>(layer).invite);
    layer.handle_message(start, FlowId{1}, parsed(request_text("INVITE")));
    const auto invite = expect<Layer::RequestReceived>(layer);
    layer.handle_message(start, FlowId{1}, parsed(request_text("CANCEL")));
    CHECK(expect<Layer::CancelReceived>(layer).invite == invite.transaction);
}

TEST_CASE("sip transaction layer: responses match by branch and method, others are dropped") {
    Layer layer = make();
    const auto id = send(layer, Method::Options);
    const std::string sent = next_sent(layer);
    CHECK(sent.find("branch=z9hG4bKs3.") != std::string::npos);
    const auto request = parse_message(to_bytes(sent));
    REQUIRE(request);
    Message ok = make_response(*request, status::Ok, {.to_tag = "t"}).build();
    std::string other = to_text(ok.wire());
    other.replace(other.find("z9hG4bKs3."), 10, "z9hG4bKs4.");
    layer.handle_message(start, FlowId{1}, *parse_message(to_bytes(other)));
    CHECK_FALSE(layer.poll_event());
    std::string wrong_method = to_text(ok.wire());
    wrong_method.replace(wrong_method.find("5 OPTIONS"), 9, "5 MESSAGE");
    layer.handle_message(start, FlowId{1}, *parse_message(to_bytes(wrong_method)));
    CHECK_FALSE(layer.poll_event());
    CHECK(layer.counters().responses_dropped == 2);
    layer.handle_message(start, FlowId{1}, ok);
    CHECK(expect<Layer::ResponseReceived>(layer).transaction == id);
    layer.handle_message(start, FlowId{1}, ok);
    CHECK_FALSE(layer.poll_event());
}

TEST_CASE("sip transaction layer: a failure is acknowledged as RFC 3261 17.1.1.3 says") {
    Layer layer = make();
    (void)send(layer, Method::Invite);
    const auto invite = parse_message(to_bytes(next_sent(layer)));
    layer.handle_message(start, FlowId{1},
                         make_response(*invite, status::BusyHere, {.to_tag = "t9"}).build());
    expect<Layer::ResponseReceived>(layer);
    const auto ack = parse_message(to_bytes(next_sent(layer)));
    REQUIRE(ack);
    CHECK(ack->method() == Method::Ack);
    CHECK(ack->request_uri_text() == "sip:b@example.org");
    CHECK(ack->find(HeaderName::Via) == invite->find(HeaderName::Via));
    CHECK(ack->find(HeaderName::Route) == invite->find(HeaderName::Route));
    CHECK(ack->find(HeaderName::From) == invite->find(HeaderName::From));
    CHECK(ack->to()->tag() == "t9");
    CHECK(ack->cseq()->to_string() == "5 ACK");
}

TEST_CASE("sip transaction layer: CANCEL waits for a provisional response and bears a Reason") {
    Layer layer = make(TransportKind::Tls);
    const auto id = send(layer, Method::Invite);
    const auto invite = parse_message(to_bytes(next_sent(layer)));
    layer.cancel(start, id, "SIP;cause=200");
    CHECK(next_sent(layer) == "");
    layer.handle_message(start, FlowId{1}, make_response(*invite, status::Trying).build());
    const auto cancel = parse_message(to_bytes(next_sent(layer)));
    REQUIRE(cancel);
    CHECK(cancel->method() == Method::Cancel);
    CHECK(cancel->find(HeaderName::Via) == invite->find(HeaderName::Via));
    CHECK(cancel->find(HeaderName::Reason) == "SIP;cause=200");
    CHECK(cancel->cseq()->to_string() == "5 CANCEL");
    expect<Layer::ResponseReceived>(layer);  // the 100
    layer.handle_message(start, FlowId{1}, make_response(*cancel, status::Ok).build());
    CHECK_FALSE(layer.poll_event());  // nobody is interested in the CANCEL's own answer
    layer.cancel(start, id);
    CHECK(next_sent(layer) == "");
    // RFC 3261 Section 9.1: without a final response it is over after 64 * T1.
    layer.handle_timeout(start + 32s);
    CHECK(expect<Layer::ClientFailed>(layer).transaction == id);
    CHECK(layer.client_transactions() == 0);
    CHECK_FALSE(layer.poll_timeout());
}

TEST_CASE("sip transaction layer: a closed flow fails what waits on it") {
    Layer layer = make(TransportKind::Tcp);
    const auto id = send(layer, Method::Options);
    layer.handle_flow_closed(start, FlowId{1});
    const auto failed = expect<Layer::ClientFailed>(layer);
    CHECK(failed.transaction == id);
    CHECK(failed.failure == ClientFailure::TransportFailed);
    CHECK(layer.client_transactions() == 0);
    CHECK_FALSE(layer.poll_timeout());
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS")));
    CHECK_FALSE(layer.poll_event());
}

TEST_CASE("sip transaction layer: a full server table answers 503, a full client table refuses") {
    Layer layer = make(TransportKind::Tcp, 2);
    for (int i = 0; i < 2; ++i) {
        layer.handle_message(start, FlowId{1},
                             parsed(request_text("OPTIONS", "z9hG4bK" + std::to_string(i))));
        expect<Layer::RequestReceived>(layer);
    }
    layer.handle_message(start, FlowId{1}, parsed(request_text("OPTIONS", "z9hG4bK9")));
    CHECK_FALSE(layer.poll_event());
    const std::string answer = next_sent(layer);
    CHECK(answer.starts_with("SIP/2.0 503"));
    CHECK(answer.find("Retry-After: 10") != std::string::npos);
    CHECK(layer.server_transactions() == 2);

    (void)send(layer, Method::Options);
    (void)send(layer, Method::Options);
    const Message third = parsed(request_text("OPTIONS", "z9hG4bKthird"));
    CHECK(layer.send_request(start, FlowId{1}, third).error() == SendError::TooManyTransactions);
    CHECK(layer.send_request(start, FlowId{9}, third).error() == SendError::UnknownFlow);
}

TEST_CASE("sip transaction layer: unsound requests are answered or dropped, never told") {
    Layer layer = make();
    std::string text = request_text("OPTIONS");
    text.replace(text.find("1 OPTIONS"), 9, "1 MESSAGE");
    layer.handle_message(start, FlowId{1}, parsed(text));
    CHECK(next_sent(layer).starts_with("SIP/2.0 400"));
    std::string ack = request_text("ACK");
    ack.replace(ack.find("1 ACK"), 5, "1 BYE");
    layer.handle_message(start, FlowId{1}, parsed(ack));
    CHECK(next_sent(layer) == "");
    CHECK_FALSE(layer.poll_event());
    CHECK(layer.server_transactions() == 0);
    CHECK(layer.counters().requests_rejected == 2);
}

TEST_CASE("sip transaction layer: an unanswerable INVITE gets 100 by itself") {
    Layer layer = make();
    layer.handle_message(start, FlowId{1}, parsed(request_text("INVITE")));
    CHECK(layer.poll_timeout() == start + 200ms);
    layer.handle_timeout(start + 200ms);
    CHECK(next_sent(layer).starts_with("SIP/2.0 100"));
}

}  // namespace
}  // namespace stile::sip
