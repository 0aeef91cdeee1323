// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/stun/attributes.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/turn/time_limited.hpp>
#include <stile/turn_server/service.hpp>

namespace stile::turn_server {
namespace {

using namespace std::chrono_literals;
using stun::Class;
using stun::Method;

constexpr Instant start{};
constexpr WallTime wall_start{std::chrono::seconds{1'800'000'000}};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
turn::ClientFlow flow_from(std::string_view remote) {
    return {.local = SocketAddress::parse("192.0.2.1:3478").value(),
            .remote = SocketAddress::parse(remote).value()};
}

ServiceConfig service_config() {
    ServiceConfig config;
    config.relay.authentication.realm = "example.org";
    config.own_addresses = {ip("192.0.2.1"), ip("2a00::1")};
    config.replies.rate = {.per_second = 2, .burst = 5};
    return config;
}

Service make_service(ServiceConfig config = service_config()) {
    return {start, wall_start, std::move(config),
            crypto::RandomStream{crypto::seed_from_number(1)}};
}

Bytes request(Method method, std::uint8_t id = 1) {
    stun::MessageBuilder builder{Class::Request, method, {{std::byte{id}}}};
    if (method == Method::Allocate) builder.add(stun::RequestedTransport{});
    return builder.finish();
}

std::size_t answers_to(Service& service, Instant now, const turn::ClientFlow& flow,
                       BytesView message) {
    CHECK_FALSE(service.handle_client(now, flow, message));
    std::size_t count = 0;
    while (service.poll_transmit()) ++count;
    return count;
}

// Carries out one request of an account with its challenges; 0 is success.
unsigned ask(Service& service, const turn::ClientFlow& flow, stun::LongTermClient& credentials,
             Method method, std::optional<SocketAddress> peer = {}) {
    static crypto::RandomStream random{crypto::seed_from_number(2)};
    for (int attempt = 0; attempt < 3; ++attempt) {
        stun::MessageBuilder builder{Class::Request, method, stun::TransactionId::random(random)};
        if (method == Method::Allocate) builder.add(stun::RequestedTransport{});
        if (peer) builder.add(stun::XorPeerAddress{*peer});
        credentials.authenticate(builder);
        const Bytes wire = builder.finish();
        CHECK_FALSE(service.handle_client(start, flow, wire));
        while (const auto event = service.poll_event()) {
            if (const auto* wanted = std::get_if<turn::RelayWanted>(&*event)) {
                service.handle_relay_opened(
                    start, wanted->relay,
                    {.ip = ip("192.0.2.1"),
                     .port = {static_cast<std::uint16_t>(50000 + wanted->relay.index)}});
            }
        }
        const auto transmit = service.poll_transmit();
        if (!transmit) return 1;
        const Bytes copy = to_bytes(transmit->message);
        const auto answer = stun::MessageView::parse(copy);
        const auto asked = stun::MessageView::parse(wire);
        if (credentials.handle_response(*asked, *answer) == stun::LongTermClient::Outcome::Retry) {
            continue;
        }
        if (answer->message_class() == Class::SuccessResponse) return 0;
        return answer->get<stun::ErrorCode>().value().code;
    }
    return 2;
}

TEST_CASE("turn service: Binding is answered on the same socket, without state") {
    Service service = make_service();
    const auto flow = flow_from("198.51.100.7:40000");
    const Bytes binding = request(Method::Binding);
    CHECK_FALSE(service.handle_client(start, flow, binding));
    const auto transmit = service.poll_transmit();
    REQUIRE(transmit);
    CHECK(transmit->flow == flow);
    const Bytes copy = to_bytes(transmit->message);
    const auto answer = stun::MessageView::parse(copy);
    REQUIRE(answer);
    CHECK(answer->message_class() == Class::SuccessResponse);
    CHECK(answer->get<stun::XorMappedAddress>().value().address == flow.remote);
    CHECK_FALSE(service.poll_timeout());
    CHECK(service.counters().binding_answers == 1);
}

TEST_CASE("turn service: classic clients learn their address, and nothing else") {
    Service service = make_service();
    const auto client = flow_from("198.51.100.7:40000");
    const auto classic = [](Method method) {
        Bytes message = request(method);
        message[4] = std::byte{0};  // where the magic cookie would begin
        return message;
    };
    CHECK(answers_to(service, start, client, classic(Method::Allocate)) == 0);
    CHECK_FALSE(service.handle_client(start, client, classic(Method::Binding)));
    const auto answer = service.poll_transmit();
    REQUIRE(answer);
    const auto view = stun::MessageView::parse(answer->message, stun::MagicCookie::Optional);
    REQUIRE(view);
    CHECK(view->get<stun::MappedAddress>().value().address == client.remote);
}

TEST_CASE("turn service: Binding can be switched off") {
    auto config = service_config();
    config.binding = turn::Offer::NotOffered;
    Service service = make_service(std::move(config));
    CHECK(answers_to(service, start, flow_from("198.51.100.7:1"), request(Method::Binding)) == 0);
}

TEST_CASE("turn service: strangers of one prefix share the rate, whatever they ask") {
    for (const Method method : {Method::Binding, Method::Allocate, Method::Refresh}) {
        Service service = make_service();
        std::size_t answered = 0;
        for (int i = 0; i < 20; ++i) {
            const auto flow = flow_from("198.51.100." + std::to_string(i + 1) + ":40000");
            answered += answers_to(service, start, flow, request(method));
        }
        CHECK(answered == 5);
        CHECK(service.counters().strangers_silenced == 15);
        // Elsewhere nobody notices; here it comes back with time.
        CHECK(answers_to(service, start, flow_from("203.0.113.1:1"), request(method)) == 1);
        CHECK(answers_to(service, start + 500ms, flow_from("198.51.100.1:1"), request(method)) ==
              1);
        CHECK(answers_to(service, start + 500ms, flow_from("198.51.100.2:1"), request(method)) ==
              0);
    }
}

TEST_CASE("turn service: IPv6 strangers share by their prefix, too") {
    Service service = make_service();
    std::size_t answered = 0;
    for (int i = 0; i < 20; ++i) {
        const auto flow = flow_from("[2a01:1:2:" + std::to_string(i) + "::1]:40000");
        answered += answers_to(service, start, flow, request(Method::Binding));
    }
    CHECK(answered == 5);
    CHECK(answers_to(service, start, flow_from("[2a01:1:2:100::1]:1"), request(Method::Binding)) ==
          1);
}

TEST_CASE("turn service: guessing passwords is limited like asking without one") {
    Service service = make_service();
    REQUIRE(service.credentials().set_account("alice", "secret"));
    const auto flow = flow_from("198.51.100.7:40000");
    std::size_t answered = 0;
    for (std::uint8_t i = 0; i < 20; ++i) {
        stun::MessageBuilder builder{Class::Request, Method::Allocate, {{std::byte{i}}}};
        builder.add(stun::RequestedTransport{}).add(stun::Username{"alice"});
        builder.add(stun::Realm{"example.org"}).add(stun::Nonce{"guess"});
        builder.add_integrity(stun::IntegrityKey::long_term("alice", "example.org", "guess"),
                              stun::IntegrityKind::Sha1);
        answered += answers_to(service, start, flow, builder.finish());
    }
    CHECK(answered == 5);
}

TEST_CASE("turn service: who has shown a credential is not limited") {
    Service service = make_service();
    REQUIRE(service.credentials().set_account("alice", "secret"));
    const auto flow = flow_from("198.51.100.7:40000");
    stun::LongTermClient alice{{.username = "alice", .password = "secret"}};
    REQUIRE(ask(service, flow, alice, Method::Allocate) == 0);
    for (int i = 0; i < 50; ++i) REQUIRE(ask(service, flow, alice, Method::Refresh) == 0);
    CHECK(service.allocations() == 1);
    CHECK(service.relay_counters().allocations_made == 1);
}

TEST_CASE("turn service: many users behind one address do not use up its challenges") {
    auto config = service_config();
    config.relay.relays_per_user = 50;
    Service service = make_service(std::move(config));
    REQUIRE(service.credentials().set_account("alice", "secret"));
    for (int port = 40'000; port < 40'050; ++port) {
        stun::LongTermClient alice{{.username = "alice", .password = "secret"}};
        const auto flow = flow_from("198.51.100.7:" + std::to_string(port));
        REQUIRE(ask(service, flow, alice, Method::Allocate) == 0);
    }
}

TEST_CASE("turn service: accounts may come and go while it runs") {
    auto config = service_config();
    config.replies.rate = {.per_second = 100, .burst = 100};
    Service service = make_service(std::move(config));
    const auto flow = flow_from("198.51.100.7:40000");
    stun::LongTermClient alice{{.username = "alice", .password = "secret"}};
    CHECK(ask(service, flow, alice, Method::Allocate) == 401);
    REQUIRE(service.credentials().set_account("alice", "secret"));
    CHECK(ask(service, flow, alice, Method::Allocate) == 0);
    service.credentials().remove_account("alice");
    CHECK(ask(service, flow, alice, Method::Refresh) == 401);
    const turn::SharedSecret secret{.secret = "north"};
    REQUIRE(service.credentials().set_shared_secrets({secret}));
    const auto credential = turn::make_time_limited(secret, wall_start + 60s, "carol");
    stun::LongTermClient carol{{.username = credential.username, .password = credential.password}};
    CHECK(ask(service, flow_from("198.51.100.7:40001"), carol, Method::Allocate) == 0);
}

TEST_CASE("turn service: its own addresses are no peers, even inside an opened range") {
    auto config = service_config();
    config.own_addresses.push_back(ip("10.0.0.1"));
    REQUIRE(config.relay.peers.open(IpPrefix::parse("10.0.0.0/8").value()));
    Service service = make_service(std::move(config));
    REQUIRE(service.credentials().set_account("alice", "secret"));
    const auto flow = flow_from("198.51.100.7:40000");
    stun::LongTermClient alice{{.username = "alice", .password = "secret"}};
    REQUIRE(ask(service, flow, alice, Method::Allocate) == 0);
    const auto permit = [&](std::string_view peer) {
        return ask(service, flow, alice, Method::CreatePermission,
                   SocketAddress{.ip = ip(peer), .port = {1}});
    };
    CHECK(permit("10.0.0.2") == 0);
    CHECK(permit("10.0.0.1") == 403);
    turn::PeerPolicy wider;
    REQUIRE(wider.open(IpPrefix::parse("10.0.0.0/8").value()));
    REQUIRE(wider.open(IpPrefix::parse("172.16.0.0/12").value()));
    CHECK(permit("172.16.0.1") == 403);
    REQUIRE(service.set_peer_policy(wider));
    CHECK(permit("172.16.0.1") == 0);
    CHECK(permit("10.0.0.1") == 403);
}

TEST_CASE("turn service: data passes in both directions") {
    Service service = make_service();
    REQUIRE(service.credentials().set_account("alice", "secret"));
    const auto flow = flow_from("198.51.100.7:40000");
    stun::LongTermClient alice{{.username = "alice", .password = "secret"}};
    REQUIRE(ask(service, flow, alice, Method::Allocate) == 0);
    const SocketAddress peer = SocketAddress::parse("8.8.8.8:9").value();
    REQUIRE(ask(service, flow, alice, Method::CreatePermission, peer) == 0);
    stun::MessageBuilder builder{Class::Indication, Method::Send, {}};
    builder.add(stun::XorPeerAddress{peer}).add(stun::Data{as_bytes("out")});
    const Bytes send = builder.finish();
    const auto relayed = service.handle_client(start, flow, send);
    REQUIRE(relayed);
    const auto& out = std::get<turn::ToPeer>(*relayed);
    CHECK(as_text(out.payload) == "out");
    const auto in = service.handle_peer(start, out.relay, peer, as_bytes("in"));
    REQUIRE(in);
    CHECK(in->flow == flow);
    CHECK(as_text(in->payload) == "in");
}

TEST_CASE("turn service: answers wait up to the limit, and are dropped past it") {
    auto config = service_config();
    config.replies.rate = {.per_second = 1, .burst = 10'000};
    Service service = make_service(std::move(config));
    const Bytes binding = request(Method::Binding);
    for (std::size_t i = 0; i < most_queued_answers + 1; ++i) {
        CHECK(service.counters().answers_dropped == 0);
        CHECK_FALSE(service.handle_client(start, flow_from("198.51.100.7:1"), binding));
    }
    CHECK(service.counters().answers_dropped == 1);
}

TEST_CASE("turn service: nonsense is not answered") {
    Service service = make_service();
    for (const Bytes& junk : {Bytes{}, Bytes(1), Bytes(20), Bytes(100), Bytes(40, std::byte{0xFF}),
                              Bytes(40, std::byte{0x41})}) {
        CHECK(answers_to(service, start, flow_from("198.51.100.7:1"), junk) == 0);
    }
}

// ---- RFC 5780
// -------------------------------------------------------------------------------------

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

Bytes changing(stun::ChangeRequest change) {
    stun::MessageBuilder builder{Class::Request, Method::Binding, {}};
    builder.add(change);
    return builder.finish();
}

TEST_CASE("turn service, discovery: answers leave from the address and port that are asked for") {
    auto config = service_config();
    config.replies.rate = {.per_second = 100, .burst = 100};
    config.discovery = {{.primary = at("192.0.2.1:3478"), .alternate = at("192.0.2.2:3479")}};
    Service service = make_service(config);
    const auto flow = flow_from("198.51.100.7:40000");
    const auto answer_to = [&](BytesView message, const turn::ClientFlow& from) {
        CHECK_FALSE(service.handle_client(start, from, message));
        auto transmit = service.poll_transmit();
        REQUIRE(transmit);
        CHECK(transmit->flow.remote == from.remote);
        return std::pair{transmit->flow.local, to_bytes(transmit->message)};
    };
    const auto [local, plain] = answer_to(request(Method::Binding), flow);
    CHECK(local == at("192.0.2.1:3478"));
    const auto seen = stun::MessageView::parse(plain);
    CHECK(seen->get<stun::OtherAddress>().value().address == at("192.0.2.2:3479"));
    CHECK(seen->get<stun::ResponseOrigin>().value().address == local);
    using enum stun::ChangeRequest::Change;
    CHECK(answer_to(changing({.ip = Change, .port = Change}), flow).first == at("192.0.2.2:3479"));
    CHECK(answer_to(changing({.port = Change}), flow).first == at("192.0.2.1:3479"));
    auto other = flow;
    other.local = at("192.0.2.2:3478");
    CHECK(answer_to(changing({.ip = Change}), other).first == at("192.0.2.1:3478"));
    // At an address that is not one of the four it is plain Binding.
    other.local = at("192.0.2.9:3478");
    const auto elsewhere = answer_to(request(Method::Binding), other);
    CHECK(elsewhere.first == other.local);
    CHECK_FALSE(stun::MessageView::parse(elsewhere.second)->has(stun::AttributeType::OtherAddress));
    // On a connection there is nothing to change.
    auto stream = flow;
    stream.transport = turn::ClientTransport::Tcp;
    const auto refused = answer_to(changing({.port = Change}), stream);
    CHECK(refused.first == stream.local);
    CHECK(stun::MessageView::parse(refused.second)->message_class() == Class::ErrorResponse);
}

TEST_CASE("turn service, discovery: with one address no other is told, and no change is made") {
    auto config = service_config();
    config.replies.rate = {.per_second = 100, .burst = 100};
    config.discovery = {{.primary = at("192.0.2.1:3478"), .alternate = {}}};
    Service service = make_service(config);
    const auto flow = flow_from("198.51.100.7:40000");
    CHECK_FALSE(service.handle_client(start, flow, request(Method::Binding)));
    auto transmit = service.poll_transmit();
    REQUIRE(transmit);
    auto answer = stun::MessageView::parse(transmit->message);
    CHECK(answer->message_class() == Class::SuccessResponse);
    CHECK_FALSE(answer->has(stun::AttributeType::OtherAddress));
    CHECK_FALSE(service.handle_client(start, flow,
                                      changing({.port = stun::ChangeRequest::Change::Change})));
    transmit = service.poll_transmit();
    REQUIRE(transmit);
    answer = stun::MessageView::parse(transmit->message);
    CHECK(answer->get<stun::ErrorCode>().value().code == 420);
}

TEST_CASE("turn service, discovery: counts against the limits of strangers") {
    auto config = service_config();
    config.discovery = {{.primary = at("192.0.2.1:3478"), .alternate = at("192.0.2.2:3479")}};
    Service service = make_service(config);
    std::size_t answers = 0;
    for (int i = 0; i < 20; ++i) {
        answers += answers_to(service, start, flow_from("198.51.100.7:40000"),
                              changing({.ip = stun::ChangeRequest::Change::Change,
                                        .port = stun::ChangeRequest::Change::Change}));
    }
    CHECK(answers == 5);
}

TEST_CASE("turn service: octets to strangers are limited over all prefixes together") {
    auto config = service_config();
    config.replies.octets = turn::TokenRate{.per_second = 320, .burst = 3200};
    Service service = make_service(config);
    std::size_t answers = 0;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        turn::ClientFlow flow = flow_from("198.51.100.7:40000");
        flow.remote.ip = IpAddress::v4(0x0B000000U + (i << 8U));
        answers += answers_to(service, start, flow, request(Method::Binding));
    }
    CHECK(answers == 100);  // 32 octets each
    CHECK(service.counters().strangers_silenced == 900);
    CHECK(answers_to(service, start + 1s, flow_from("198.51.100.7:40000"),
                     request(Method::Binding)) == 1);
}

TEST_CASE("turn service: another configuration takes effect without losing an allocation") {
    auto config = service_config();
    Service service = make_service(config);
    REQUIRE(service.credentials().set_account("alice", "secret"));
    stun::LongTermClient credentials{{.username = "alice", .password = "secret"}};
    const auto flow = flow_from("198.51.100.7:40000");
    REQUIRE(ask(service, flow, credentials, Method::Allocate) == 0);
    config.own_addresses.push_back(ip("8.8.8.8"));
    config.replies.rate = {.per_second = 1, .burst = 1};
    service.reconfigure(start, config);
    CHECK(service.allocations() == 1);
    CHECK(ask(service, flow, credentials, Method::CreatePermission,
              SocketAddress::parse("8.8.8.8:1")) == 403);
    CHECK(ask(service, flow, credentials, Method::CreatePermission,
              SocketAddress::parse("9.9.9.9:1")) == 0);
    std::size_t answers = 0;
    for (int i = 0; i < 5; ++i) {
        answers +=
            answers_to(service, start, flow_from("198.51.100.77:40000"), request(Method::Binding));
    }
    CHECK(answers == 1);
}

}  // namespace
}  // namespace stile::turn_server
