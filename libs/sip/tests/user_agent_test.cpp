// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <doctest/doctest.h>
#include <stile/sip/user_agent_limits.hpp>

namespace stile::sip::testing {
namespace {

Message parsed(const std::string& text) {
    std::string wire;
    for (const char c : text) {
        if (c == '\n') wire += '\r';
        wire += c;
    }
    auto message = parse_message(to_bytes(wire));
    REQUIRE(message);
    return *std::move(message);
}

std::string request_text(const std::string& method, const std::string& branch,
                         const std::string& extra = "", const std::string& to_tag = "") {
    return method + " sip:alice@10.0.0.1 SIP/2.0\nVia: SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK" +
           branch + "\nMax-Forwards: 70\nFrom: <sip:x@example.org>;tag=x1\n" +
           "To: <sip:alice@example.org>" + (to_tag.empty() ? "" : ";tag=" + to_tag) +
           "\nCall-ID: hand\nCSeq: 7 " + method + "\n" + extra + "\n";
}

// One user agent and everything that it sends, answered by hand.
struct Alone {
    Alone()
        : agent(AgentWorld::config("alice"), crypto::RandomStream{crypto::seed_from_number(5)}) {
        agent.handle_flow_opened(
            now, Flow{.id = FlowId{1},
                      .transport = TransportKind::Tls,
                      .remote = SocketAddress::parse("192.0.2.9:5061").value(),
                      .sent_by = {.host = Host::parse("10.0.0.1").value(), .port = Port{4000}}});
    }

    void give(const Message& message) {
        agent.handle_message(now, FlowId{1}, message);
        settle();
    }
    void settle() {
        while (auto out = agent.poll_transmit()) {
            sent.push_back(parse_message(std::move(out->bytes)).value());
        }
        while (auto event = agent.poll_event()) events.push_back(*std::move(event));
    }
    void advance(Duration time) {
        now += time;
        agent.handle_timeout(now);
        settle();
    }
    // The last message of that method (or the last response, for an empty one).
    const Message* last(Method method) const {
        for (auto it = sent.rbegin(); it != sent.rend(); ++it) {
            if (it->is_request() && it->method() == method) return &*it;
        }
        return nullptr;
    }
    std::size_t count(Method method) const {
        std::size_t found = 0;
        for (const Message& it : sent) {
            found += it.is_request() && it.method() == method ? 1U : 0U;
        }
        return found;
    }
    Message answer(const Message& request, Status status, const std::string& tag,
                   const std::string& contact) {
        MessageBuilder builder = make_response(request, status, {.to_tag = tag});
        builder.add(HeaderName::Contact, contact);
        return builder.build();
    }

    Instant now{};
    UserAgent agent;
    std::vector<Message> sent;
    std::vector<UserAgent::Event> events;
};

CallId call_bob(Alone& alone) {
    const auto call =
        alone.agent.invite(alone.now, {.flow = FlowId{1},
                                       .target = Uri::parse("sip:bob@b.example").value(),
                                       .route = {},
                                       .headers = {},
                                       .body = std::nullopt});
    REQUIRE(call);
    alone.settle();
    return *call;
}

TEST_CASE("sip user agent: of two branches that answer the first one wins, the other gets BYE") {
    Alone alone;
    const CallId call = call_bob(alone);
    const Message invite = *alone.last(Method::Invite);
    alone.give(alone.answer(invite, status::Ringing, "one", "<sip:bob@1.example>"));
    alone.give(alone.answer(invite, status::Ringing, "two", "<sip:bob@2.example>"));
    const Message first = alone.answer(invite, status::Ok, "two", "<sip:bob@2.example>");
    alone.give(first);
    CHECK(alone.count(Method::Ack) == 1);
    CHECK(alone.last(Method::Ack)->request_uri_text() == "sip:bob@2.example");
    CHECK(alone.count(Method::Bye) == 0);
    const Message second = alone.answer(invite, status::Ok, "one", "<sip:bob@1.example>");
    alone.give(second);
    CHECK(alone.count(Method::Ack) == 2);
    CHECK(alone.last(Method::Ack)->to()->tag() == "one");
    REQUIRE(alone.count(Method::Bye) == 1);
    CHECK(alone.last(Method::Bye)->request_uri_text() == "sip:bob@1.example");
    CHECK(alone.last(Method::Bye)->to()->tag() == "one");
    // Repetitions get their own ACK again, and no further BYE.
    alone.give(second);
    CHECK(alone.last(Method::Ack)->to()->tag() == "one");
    alone.give(first);
    CHECK(alone.last(Method::Ack)->to()->tag() == "two");
    CHECK(alone.count(Method::Ack) == 4);
    CHECK(alone.count(Method::Bye) == 1);
    CHECK(alone.agent.find(call)->state() == Call::State::Established);
    // After timer M a 2xx is nobody's.
    alone.advance(33s);
    alone.give(first);
    CHECK(alone.count(Method::Ack) == 4);
}

TEST_CASE("sip user agent: more answering branches than most_answered_forks are left alone") {
    Alone alone;
    (void)call_bob(alone);
    const Message invite = *alone.last(Method::Invite);
    for (std::size_t i = 0; i <= most_answered_forks + 1; ++i) {
        alone.give(
            alone.answer(invite, status::Ok, "t" + std::to_string(i), "<sip:bob@1.example>"));
    }
    CHECK(alone.count(Method::Ack) == 1 + most_answered_forks);
    CHECK(alone.count(Method::Bye) == most_answered_forks);
}

TEST_CASE("sip user agent: a 2xx without Contact ends the call") {
    Alone alone;
    (void)call_bob(alone);
    const Message invite = *alone.last(Method::Invite);
    alone.give(make_response(invite, status::Ok, {.to_tag = "t"}).build());
    REQUIRE(!alone.events.empty());
    const auto& event = std::get<UserAgent::CallEvent>(alone.events.back());
    CHECK(std::get<Call::Ended>(event.event).reason == Call::EndReason::BadAnswer);
}

TEST_CASE("sip user agent: OPTIONS is answered, unknown methods and dialogs are refused") {
    Alone alone;
    alone.give(parsed(request_text("OPTIONS", "1")));
    REQUIRE(alone.sent.size() == 1);
    CHECK(alone.sent.back().status() == status::Ok);
    CHECK(alone.sent.back().lists(HeaderName::Supported, "outbound"));
    alone.give(parsed(request_text("SUBSCRIBE", "2")));
    CHECK(alone.sent.back().status() == status::MethodNotAllowed);
    CHECK(alone.sent.back().lists(HeaderName::Allow, "MESSAGE"));
    alone.give(parsed(request_text("BYE", "3", "", "nothing")));
    CHECK(alone.sent.back().status() == status::CallOrTransactionDoesNotExist);
    alone.give(parsed(request_text("INFO", "4")));
    CHECK(alone.sent.back().status() == status::CallOrTransactionDoesNotExist);
    alone.give(parsed(request_text("CANCEL", "5")));
    CHECK(alone.sent.back().status() == status::CallOrTransactionDoesNotExist);
    alone.give(parsed(request_text("MESSAGE", "6", "Require: teleport\n")));
    CHECK(alone.sent.back().status() == status::BadExtension);
    CHECK(alone.sent.back().find(HeaderName::Unsupported) == "teleport");
    CHECK(alone.events.empty());
}

TEST_CASE("sip user agent: the same INVITE by another way is 482, its CANCEL finds the call") {
    Alone alone;
    const std::string contact = "Contact: <sip:x@192.0.2.9>\n";
    alone.give(parsed(request_text("INVITE", "1", contact)));
    CHECK(alone.agent.call_count() == 1);
    alone.give(parsed(request_text("INVITE", "2", contact)));
    CHECK(alone.sent.back().status() == status::LoopDetected);
    CHECK(alone.agent.call_count() == 1);
    alone.give(parsed(request_text("CANCEL", "1")));
    const auto& event = std::get<UserAgent::CallEvent>(alone.events.back());
    CHECK(std::get<Call::Ended>(event.event).reason == Call::EndReason::RemoteCancel);
}

TEST_CASE("sip user agent: an INVITE without Contact is 400") {
    Alone alone;
    alone.give(parsed(request_text("INVITE", "1")));
    CHECK(alone.sent.back().status() == status::BadRequest);
    CHECK(alone.agent.call_count() == 0);
}

TEST_CASE("sip user agent: MESSAGE is told and answered; nobody answers, and it is forgotten") {
    Alone alone;
    alone.give(parsed(request_text("MESSAGE", "1")));
    REQUIRE(alone.events.size() == 1);
    const auto& event = std::get<UserAgent::RequestReceived>(alone.events.front());
    alone.agent.respond(alone.now, event.transaction, status::Ok);
    alone.settle();
    CHECK(alone.sent.back().status() == status::Ok);
    alone.agent.respond(alone.now, event.transaction, status::Ok);
    alone.settle();
    CHECK(alone.sent.size() == 1);

    alone.give(parsed(request_text("MESSAGE", "2")));
    CHECK(alone.agent.transactions().server_transactions() == 1);
    alone.advance(most_answer_delay);
    CHECK(alone.agent.transactions().server_transactions() == 0);
    CHECK_FALSE(alone.agent.poll_timeout());
}

TEST_CASE("sip user agent: requests outside of dialogs answer 407, and 401 only where told to") {
    for (const auto policy : {PeerChallenges::Ignore, PeerChallenges::Answer}) {
        for (const Status asked : {status::Unauthorized, status::ProxyAuthenticationRequired}) {
            UserAgentConfig config = AgentWorld::config("alice");
            config.account = Account{"alice", "example.org", "secret"};
            config.peer_challenges = policy;
            Alone alone;
            alone.agent = UserAgent{config, crypto::RandomStream{crypto::seed_from_number(6)}};
            alone.agent.handle_flow_opened(
                alone.now, Flow{.id = FlowId{1},
                                .transport = TransportKind::Tls,
                                .remote = SocketAddress::parse("192.0.2.9:5061").value(),
                                .sent_by = {.host = Host::parse("10.0.0.1").value(), .port = {}}});
            REQUIRE(alone.agent.request(alone.now,
                                        OutsideRequest{.flow = FlowId{1},
                                                       .method = "MESSAGE",
                                                       .target = Uri::parse("sip:b@b").value(),
                                                       .route = {},
                                                       .headers = {},
                                                       .body = std::nullopt}));
            alone.settle();
            MessageBuilder challenge = make_response(alone.sent.back(), asked, {.to_tag = "t"});
            const bool by_proxy = asked == status::ProxyAuthenticationRequired;
            challenge.add(by_proxy ? HeaderName::ProxyAuthenticate : HeaderName::WwwAuthenticate,
                          "Digest realm=\"example.org\", nonce=\"n\", qop=\"auth\"");
            alone.give(challenge.build());
            const bool answers = by_proxy || policy == PeerChallenges::Answer;
            CHECK(alone.count(Method::Message) == (answers ? 2 : 1));
            CHECK(alone.events.size() == (answers ? 0 : 1));
        }
    }
}

TEST_CASE("sip user agent: the limits, at them and one past them") {
    Alone alone;
    for (std::size_t i = 0; i < most_registrations; ++i) {
        CHECK(alone.agent.register_with(alone.now, {.registrar = Uri::parse("sip:e.org").value()},
                                        std::nullopt));
    }
    CHECK(
        alone.agent
            .register_with(alone.now, {.registrar = Uri::parse("sip:e.org").value()}, std::nullopt)
            .error() == CommandError::TooMany);
    const OutsideRequest request{.flow = FlowId{1},
                                 .method = "OPTIONS",
                                 .target = Uri::parse("sip:b@b").value(),
                                 .route = {},
                                 .headers = {},
                                 .body = std::nullopt};
    for (std::size_t i = 0; i < most_outside_requests; ++i) {
        CHECK(alone.agent.request(alone.now, request));
    }
    CHECK(alone.agent.request(alone.now, request).error() == CommandError::TooMany);
    const InviteRequest invite{.flow = FlowId{1},
                               .target = Uri::parse("sip:b@b").value(),
                               .route = {},
                               .headers = {},
                               .body = std::nullopt};
    for (std::size_t i = 0; i < most_calls; ++i) CHECK(alone.agent.invite(alone.now, invite));
    CHECK(alone.agent.invite(alone.now, invite).error() == CommandError::TooMany);
    alone.settle();
    alone.give(parsed(request_text("INVITE", "z", "Contact: <sip:x@192.0.2.9>\n")));
    CHECK(alone.sent.back().status() == status::BusyHere);
    CHECK(alone.agent.invite(alone.now, {.flow = FlowId{9}, .target = invite.target}).error() ==
          CommandError::TooMany);
}

TEST_CASE("sip user agent: bytes that are no message are answered where they can be") {
    Alone alone;
    std::string text =
        "OPTIONS sip:a@b SIP/3.0\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1\r\n"
        "From: <sip:x@y>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\n"
        "CSeq: 1 OPTIONS\r\n\r\n";
    auto message = parse_message(as_bytes(text));
    if (message) {
        alone.give(*message);
    } else {
        alone.agent.handle_parse_failure(alone.now, FlowId{1}, message.error());
        alone.settle();
    }
    REQUIRE(alone.sent.size() == 1);
    CHECK(alone.sent.back().status() == status::VersionNotSupported);
}

}  // namespace
}  // namespace stile::sip::testing
