// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/user_agent.hpp>

#include <functional>
#include <string>
#include <vector>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;

// A user agent and a registrar that is a function of the REGISTER requests it gets.
struct Scene {
    static UserAgentConfig config() {
        UserAgentConfig config;
        config.address = NameAddr::parse("\"Alice\" <sip:alice@example.org>").value();
        config.account = Account{.username = "alice", .realm = "example.org", .password = "secret"};
        config.instance = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        config.features = Parameters::parse(";audio;+sip.http", ParameterSyntax::Header).value();
        return config;
    }

    Scene() : agent(config(), crypto::RandomStream{crypto::seed_from_number(7)}) {}

    void open(std::uint64_t flow, TransportKind transport = TransportKind::Tls) {
        agent.handle_flow_opened(
            now, Flow{.id = FlowId{flow},
                      .transport = transport,
                      .remote = SocketAddress::parse("192.0.2.1:5061").value(),
                      .sent_by = {.host = Host::parse("10.0.0.9").value(), .port = Port{4711}}});
    }

    void start(std::optional<FlowId> flow = FlowId{1}) {
        const auto started =
            agent.register_with(now, {.registrar = Uri::parse("sip:example.org").value()}, flow);
        REQUIRE(started);
        id = *started;
        settle();
    }

    // Answers everything that is sent, at once.
    void settle() {
        for (;;) {
            if (auto out = agent.poll_transmit()) {
                if (as_text(out->bytes) == "\r\n\r\n") {
                    ++pings;
                    if (answer_pings) agent.handle_pong(now, out->flow);
                    continue;
                }
                auto request = parse_message(std::move(out->bytes));
                REQUIRE(request);
                requests.push_back(*request);
                if (!registrar) continue;
                if (auto response = registrar(*request)) {
                    agent.handle_message(now, out->flow, *std::move(response));
                }
            } else if (auto event = agent.poll_event()) {
                auto& told = std::get<UserAgent::RegistrationEvent>(*event);
                events.push_back(std::move(told.event));
            } else {
                return;
            }
        }
    }

    void run(Duration time) {
        const Instant end = now + time;
        for (;;) {
            settle();
            const auto wake = agent.poll_timeout();
            if (!wake || *wake > end) break;
            now = std::max(now, *wake);
            agent.handle_timeout(now);
        }
        now = end;
    }

    template <class Kind>
    std::optional<Kind> take() {
        for (auto it = events.begin(); it != events.end(); ++it) {
            if (auto* kind = std::get_if<Kind>(&*it)) {
                Kind found = *kind;
                events.erase(it);
                return found;
            }
        }
        return std::nullopt;
    }

    // 200 with our contact as the registrar bound it.
    static Message accept(const Message& request, std::uint32_t seconds,
                          std::string_view require = "outbound") {
        MessageBuilder builder = make_response(request, status::Ok, {.to_tag = "r"});
        auto contacts = request.contacts().value();
        builder.add(HeaderName::Contact, "<sip:alice@elsewhere.example>;expires=77");
        Contact own = contacts.values.at(0).copy();
        own.address.parameters.set("expires", std::to_string(seconds));
        builder.add(own);
        if (!require.empty()) builder.add(HeaderName::Require, require);
        return builder.build();
    }

    UserAgent agent;
    Instant now{};
    RegistrationId id;
    std::function<std::optional<Message>(const Message&)> registrar;
    std::vector<Message> requests;
    std::vector<Registration::Event> events;
    int pings = 0;
    bool answer_pings = true;
};

TEST_CASE("sip registration: the REGISTER that RFC 5626 asks for") {
    Scene scene;
    scene.open(1);
    scene.start();
    REQUIRE(scene.requests.size() == 1);
    const Message& request = scene.requests.front();
    CHECK(request.request_uri_text() == "sip:example.org");
    CHECK(request.lists(HeaderName::Supported, "outbound"));
    CHECK(request.lists(HeaderName::Supported, "path"));
    const auto contacts = request.contacts().value();
    REQUIRE(contacts.values.size() == 1);
    const ContactView& contact = contacts.values.front();
    CHECK(contact.reg_id() == 1);
    CHECK(contact.instance() == "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    CHECK(contact.expires_seconds() == 3600);
    CHECK(contact.address.parameters.contains("audio"));
    CHECK(contact.address.parameters.contains("+sip.http"));
    CHECK(contact.uri().to_string() == "sip:alice@10.0.0.9:4711;transport=tls");
    CHECK(request.from().value().tag().has_value());
    CHECK_FALSE(request.to().value().tag().has_value());
    CHECK(request.top_via().value().rport().has_value());
}

TEST_CASE("sip registration: answers a digest challenge, and refreshes before the end") {
    Scene scene;
    scene.open(1);
    scene.registrar = [](const Message& request) -> std::optional<Message> {
        if (const auto given = credentials_for(request, HeaderName::Authorization, "example.org")) {
            const auto secret =
                AuthSecret::from_password(AuthAlgorithm::Sha256, "alice", "example.org", "secret");
            CHECK(given->algorithm == AuthAlgorithm::Sha256);
            CHECK(verify(*given, {.secret = secret, .method = "REGISTER", .body = {}}));
            return Scene::accept(request, 600);
        }
        MessageBuilder builder = make_response(request, status::Unauthorized, {.to_tag = "r"});
        builder.add(HeaderName::WwwAuthenticate, Challenge{.realm = "example.org",
                                                           .nonce = "n1",
                                                           .algorithm = AuthAlgorithm::Sha256,
                                                           .qops = {Qop::Auth}}
                                                     .to_string());
        return builder.build();
    };
    scene.start();
    const auto registered = scene.take<Registration::Registered>();
    REQUIRE(registered);
    CHECK(registered->expires == 600s);
    CHECK(registered->flow == FlowId{1});
    CHECK(registered->outbound == Registration::Outbound::Supported);
    CHECK(scene.requests.size() == 2);
    CHECK(scene.requests[0].call_id().value() == scene.requests[1].call_id().value());
    CHECK(scene.requests[1].cseq().value().number == scene.requests[0].cseq().value().number + 1);
    scene.run(449s);
    CHECK(scene.requests.size() == 2);
    scene.run(91s);
    CHECK(scene.requests.size() == 3);  // with the same nonce, at once
    CHECK(scene.take<Registration::Registered>());
    CHECK_FALSE(scene.take<Registration::Failed>());
}

TEST_CASE("sip registration: a wrong password stops it") {
    Scene scene;
    scene.open(1);
    int challenges = 0;
    scene.registrar = [&](const Message& request) -> std::optional<Message> {
        MessageBuilder builder = make_response(request, status::Unauthorized, {.to_tag = "r"});
        builder.add(HeaderName::WwwAuthenticate,
                    Challenge{.realm = "example.org",
                              .nonce = "n" + std::to_string(++challenges),
                              .qops = {Qop::Auth}}
                        .to_string());
        return builder.build();
    };
    scene.start();
    const auto failed = scene.take<Registration::Failed>();
    REQUIRE(failed);
    CHECK(failed->failure == Registration::Failure::Unauthorized);
    CHECK_FALSE(failed->retry_at);
    scene.run(3600s);
    CHECK(scene.requests.size() == 2);
    CHECK_FALSE(scene.agent.poll_timeout());
}

TEST_CASE("sip registration: a challenge for another realm is not answered") {
    Scene scene;
    scene.open(1);
    scene.registrar = [&](const Message& request) -> std::optional<Message> {
        MessageBuilder builder = make_response(request, status::Unauthorized, {.to_tag = "r"});
        builder.add(
            HeaderName::WwwAuthenticate,
            Challenge{.realm = "elsewhere.example", .nonce = "n", .qops = {Qop::Auth}}.to_string());
        return builder.build();
    };
    scene.start();
    CHECK(scene.take<Registration::Failed>()->failure == Registration::Failure::Unauthorized);
    CHECK(scene.requests.size() == 1);
}

TEST_CASE("sip registration: 423 raises the time asked for") {
    Scene scene;
    scene.open(1);
    scene.registrar = [&](const Message& request) -> std::optional<Message> {
        const auto asked = request.contacts().value().values.front().expires_seconds();
        if (asked == 7200U) return Scene::accept(request, 7200);
        MessageBuilder builder = make_response(request, status::IntervalTooBrief, {.to_tag = "r"});
        builder.add_number(HeaderName::MinExpires, 7200);
        return builder.build();
    };
    scene.start();
    CHECK(scene.take<Registration::Registered>()->expires == 7200s);
    CHECK(scene.requests.size() == 2);
}

TEST_CASE("sip registration: a Min-Expires that asks for nothing more does not loop") {
    Scene scene;
    scene.open(1);
    scene.registrar = [&](const Message& request) -> std::optional<Message> {
        MessageBuilder builder = make_response(request, status::IntervalTooBrief, {.to_tag = "r"});
        builder.add_number(HeaderName::MinExpires, 3600);
        return builder.build();
    };
    scene.start();
    CHECK(scene.requests.size() == 1);
    CHECK(scene.take<Registration::Failed>()->status == status::IntervalTooBrief);
}

TEST_CASE("sip registration: 439 is followed by a registration without outbound") {
    Scene scene;
    scene.open(1);
    scene.registrar = [&](const Message& request) -> std::optional<Message> {
        if (request.lists(HeaderName::Supported, "outbound")) {
            return make_response(request, status::FirstHopLacksOutboundSupport, {.to_tag = "r"})
                .build();
        }
        CHECK_FALSE(request.contacts().value().values.front().reg_id());
        return Scene::accept(request, 3600, "");
    };
    scene.start();
    CHECK(scene.take<Registration::Registered>()->outbound == Registration::Outbound::Unsupported);
    scene.run(1000s);
    CHECK(scene.pings == 0);
}

TEST_CASE("sip registration: 503 waits for Retry-After on the same flow") {
    Scene scene;
    scene.open(1);
    bool busy = true;
    scene.registrar = [&](const Message& request) -> std::optional<Message> {
        if (!busy) return Scene::accept(request, 3600);
        MessageBuilder builder =
            make_response(request, status::ServiceUnavailable, {.to_tag = "r"});
        builder.add_number(HeaderName::RetryAfter, 300);
        return builder.build();
    };
    scene.start();
    const auto failed = scene.take<Registration::Failed>();
    REQUIRE(failed);
    CHECK(failed->retry_at == scene.now + 300s);
    busy = false;
    scene.run(299s);
    CHECK(scene.requests.size() == 1);
    scene.run(2s);
    CHECK(scene.take<Registration::Registered>());
    CHECK_FALSE(scene.take<Registration::FlowFailed>());
}

TEST_CASE("sip registration: the waits of RFC 5626 Section 4.5") {
    Scene scene;
    scene.start(std::nullopt);
    CHECK(scene.take<Registration::FlowWanted>());
    Duration upper = 60s;
    for (int i = 0; i < 9; ++i) {
        CAPTURE(i);
        CHECK(scene.agent.flow_unavailable(scene.now, scene.id));
        scene.settle();
        const auto failed = scene.take<Registration::Failed>();
        REQUIRE(failed);
        REQUIRE(failed->retry_at);
        const Duration wait = *failed->retry_at - scene.now;
        CHECK(wait >= upper / 2);
        CHECK(wait <= upper);
        scene.run(wait);
        CHECK(scene.take<Registration::FlowWanted>());
        upper = std::min<Duration>(upper * 2, 1800s);
    }
}

TEST_CASE("sip registration: pings, and a missing pong fails the flow after 10 s") {
    Scene scene;
    scene.open(1);
    scene.registrar = [](const Message& request) { return Scene::accept(request, 3600); };
    scene.start();
    REQUIRE(scene.take<Registration::Registered>());
    scene.run(600s);
    CHECK(scene.pings >= 5);
    CHECK(scene.pings <= 6);
    scene.answer_pings = false;
    scene.run(131s);
    CHECK(scene.take<Registration::FlowFailed>()->flow == FlowId{1});
    // The flow had proved itself, so another one is wanted at once.
    CHECK(scene.take<Registration::FlowWanted>());
    scene.open(2);
    scene.answer_pings = true;
    CHECK(scene.agent.use_flow(scene.now, scene.id, FlowId{2}));
    scene.settle();
    const auto again = scene.take<Registration::Registered>();
    REQUIRE(again);
    CHECK(again->flow == FlowId{2});
    CHECK(scene.requests.back().contacts().value().values.front().reg_id() == 1);
}

TEST_CASE("sip registration: Flow-Timer sets the pace of the pings") {
    Scene scene;
    scene.open(1);
    scene.registrar = [](const Message& request) {
        const Message accepted = Scene::accept(request, 3600);
        MessageBuilder builder = make_response(request, status::Ok, {.to_tag = "r"});
        builder.copy(accepted, HeaderName::Contact)
            .add(HeaderName::Require, "outbound")
            .add_number(HeaderName::FlowTimer, 20);
        return builder.build();
    };
    scene.start();
    scene.run(200s);
    CHECK(scene.pings >= 10);
    CHECK(scene.pings <= 12);
}

TEST_CASE("sip registration: over UDP the keep-alive is the application's") {
    Scene scene;
    scene.open(1, TransportKind::Udp);
    scene.registrar = [](const Message& request) { return Scene::accept(request, 3600); };
    scene.start();
    scene.run(30s);
    CHECK(scene.take<Registration::KeepAliveDue>()->flow == FlowId{1});
    CHECK(scene.pings == 0);
}

TEST_CASE("sip registration: a flow that closes before any pong is followed by a wait") {
    Scene scene;
    scene.open(1);
    scene.registrar = [](const Message& request) { return Scene::accept(request, 3600); };
    scene.start();
    REQUIRE(scene.take<Registration::Registered>());
    scene.agent.handle_flow_closed(scene.now, FlowId{1});
    scene.settle();
    CHECK_FALSE(scene.take<Registration::FlowWanted>());
    CHECK(scene.take<Registration::FlowFailed>());
    scene.run(60s);
    CHECK(scene.take<Registration::FlowWanted>());
}

TEST_CASE("sip registration: no answer fails it by timer F") {
    Scene scene;
    scene.open(1);
    scene.start();
    scene.run(31s);
    CHECK_FALSE(scene.take<Registration::Failed>());
    scene.run(2s);
    CHECK(scene.take<Registration::Failed>()->failure == Registration::Failure::Unreachable);
    CHECK(scene.take<Registration::FlowFailed>());
}

TEST_CASE("sip registration: stop removes the binding") {
    Scene scene;
    scene.open(1);
    scene.registrar = [](const Message& request) -> std::optional<Message> {
        const auto asked = request.contacts().value().values.front().expires_seconds();
        if (asked == 0U) return make_response(request, status::Ok, {.to_tag = "r"}).build();
        return Scene::accept(request, 3600);
    };
    scene.start();
    CHECK(scene.agent.unregister(scene.now, scene.id));
    scene.settle();
    CHECK(scene.requests.size() == 2);
    CHECK(scene.take<Registration::Removed>());
    CHECK_FALSE(scene.agent.find(scene.id));
    scene.run(7200s);
    CHECK(scene.requests.size() == 2);
}

TEST_CASE("sip registration: a 200 without our contact is no registration") {
    Scene scene;
    scene.open(1);
    scene.registrar = [](const Message& request) {
        return make_response(request, status::Ok, {.to_tag = "r"}).build();
    };
    scene.start();
    CHECK(scene.take<Registration::Failed>()->failure == Registration::Failure::BadAnswer);
}

}  // namespace
}  // namespace stile::sip
