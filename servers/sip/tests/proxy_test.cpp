// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "server_world.hpp"

namespace stile::sip_server::testing {
namespace {

using sip::Call;
using sip::CallId;
using sip::Message;

const sip::ResponseParts answer_body{.body = sip::Body{"application/sdp", to_bytes("answer")}};

// A world with alice and bob registered.
struct Pair {
    explicit Pair(TransportKind transport = TransportKind::Tls, std::uint64_t seed = 1)
        : world(seed) {
        world.add_account("alice", AccountClass::Modern);
        world.add_account("bob", AccountClass::Modern);
        alice = &world.add_client("alice", transport);
        bob = &world.add_client("bob", transport);
        world.register_client(*alice);
        world.register_client(*bob);
    }
    // Both ends of an established call.
    std::pair<CallId, CallId> connect() {
        const auto call =
            alice->agent.invite(world.now, world.invite(*alice, "sip:bob@example.org"));
        REQUIRE(call);
        world.run(300ms);
        const auto incoming = take<Call::Incoming>(*bob);
        REQUIRE(incoming);
        CHECK(bob->agent.answer(world.now, incoming->first, answer_body));
        world.run(300ms);
        REQUIRE(take<Call::Answered>(*alice));
        REQUIRE(take<Call::Acknowledged>(*bob));
        return {*call, incoming->first};
    }

    World world;
    World::Client* alice = nullptr;
    World::Client* bob = nullptr;
};

Call::Ended expect_end(World::Client& client) {
    auto ended = take<Call::Ended>(client);
    REQUIRE(ended);
    return std::move(ended->second);
}

Message parsed(const std::string& text) {
    std::string wire;
    for (const char c : text) {
        if (c == '\n') wire += '\r';
        wire += c;
    }
    auto message = sip::parse_message(to_bytes(wire));
    REQUIRE(message);
    return *std::move(message);
}

// The first answer of the server to a request written by hand.
std::string answer_to(World& world, World::Client& client, const std::string& text) {
    world.sent_by_server.clear();
    world.server->handle_message(world.now, client.flow, parsed(text));
    world.settle();
    if (world.sent_by_server.empty()) return "";
    const std::string& first = world.sent_by_server.front();
    return first.substr(0, first.find("\r\n"));
}

std::string request_text(const std::string& method, const std::string& uri, const std::string& from,
                         const std::string& extra = "", const std::string& to_tag = "") {
    static int last = 0;
    const std::string branch = std::to_string(++last);
    return method + " " + uri + " SIP/2.0\nVia: SIP/2.0/TLS 10.0.0.9;branch=z9hG4bKt" + branch +
           "\nFrom: <" + from + ">;tag=1\nTo: <" + uri + ">" +
           (to_tag.empty() ? "" : ";tag=" + to_tag) + "\nCall-ID: hand" + branch + "\nCSeq: 1 " +
           method + "\nContact: <sip:hand@10.0.0.9>\n" + extra + "\n";
}

TEST_CASE("sip server: a call through the proxy, BYE from either side over Record-Route") {
    for (const auto transport : {TransportKind::Udp, TransportKind::Tls, TransportKind::Wss}) {
        for (const bool caller_hangs_up : {true, false}) {
            Pair pair{transport};
            const auto [caller, callee] = pair.connect();
            const auto* dialog = pair.alice->agent.find(caller)->dialog();
            REQUIRE(dialog);
            CHECK(dialog->route_set().size() == 2);
            if (caller_hangs_up) {
                CHECK(pair.alice->agent.bye(pair.world.now, caller));
            } else {
                CHECK(pair.bob->agent.bye(pair.world.now, callee));
            }
            pair.world.run(100s);
            CHECK(expect_end(*pair.alice).reason ==
                  (caller_hangs_up ? Call::EndReason::LocalBye : Call::EndReason::RemoteBye));
            CHECK(expect_end(*pair.bob).reason ==
                  (caller_hangs_up ? Call::EndReason::RemoteBye : Call::EndReason::LocalBye));
            CHECK(pair.alice->agent.call_count() == 0);
            CHECK(pair.bob->agent.call_count() == 0);
        }
    }
}

TEST_CASE("sip server: re-INVITE and INFO pass in both directions") {
    Pair pair;
    const auto [caller, callee] = pair.connect();
    CHECK(pair.bob->agent.reinvite(pair.world.now, callee, answer_body));
    pair.world.run();
    REQUIRE(take<Call::Reinvited>(*pair.alice));
    CHECK(pair.alice->agent.answer_reinvite(pair.world.now, caller, answer_body));
    pair.world.run();
    CHECK(take<Call::ReinviteAnswered>(*pair.bob)->second.response.status() == sip::status::Ok);
    CHECK(take<Call::Acknowledged>(*pair.alice));
    CHECK(pair.alice->agent.request(pair.world.now, caller, "INFO", answer_body));
    pair.world.run();
    const auto info = take<Call::RequestReceived>(*pair.bob);
    REQUIRE(info);
    pair.bob->agent.respond(pair.world.now, info->second.transaction, sip::status::Ok);
    pair.world.run();
    CHECK(take<Call::RequestAnswered>(*pair.alice)->second.response.status() == sip::status::Ok);
}

TEST_CASE("sip server: 404 for an unknown user, 480 for one who is not there") {
    Pair pair;
    pair.world.add_account("carol", AccountClass::Modern);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:nobody@example.org"));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::NotFound);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:carol@example.org"));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::TemporarilyUnavailable);
}

TEST_CASE("sip server: CANCEL reaches the callee, and the caller gets 487") {
    Pair pair;
    const auto call = pair.alice->agent.invite(
        pair.world.now, pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    REQUIRE(take<Call::Incoming>(*pair.bob));
    CHECK(pair.alice->agent.cancel(pair.world.now, *call, "SIP;cause=600"));
    pair.world.run(60s);
    const auto ended = expect_end(*pair.alice);
    CHECK(ended.reason == Call::EndReason::LocalCancel);
    CHECK(ended.message->status() == sip::status::RequestTerminated);
    const auto callee = expect_end(*pair.bob);
    CHECK(callee.reason == Call::EndReason::RemoteCancel);
    CHECK(callee.message->find(sip::HeaderName::Reason) == "SIP;cause=600");
    CHECK_FALSE(pair.world.server->poll_timeout() < pair.world.now);
}

TEST_CASE("sip server: a CANCEL while the account is asked for ends the INVITE with 487") {
    Pair pair;
    pair.world.hold_accounts = true;
    const auto call = pair.alice->agent.invite(
        pair.world.now, pair.world.invite(*pair.alice, "sip:nobody@example.org"));
    pair.world.run();
    REQUIRE(pair.world.held_accounts.size() == 1);
    CHECK(pair.alice->agent.cancel(pair.world.now, *call));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::RequestTerminated);
    pair.world.server->handle_account(pair.world.now, pair.world.held_accounts[0], std::nullopt);
    pair.world.run();
    CHECK(pair.alice->agent.call_count() == 0);
}

TEST_CASE("sip server: an application that never answers costs the caller 500, not the server") {
    Pair pair;
    pair.world.hold_accounts = true;
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:nobody@example.org"));
    pair.world.run(most_wait + 1s);
    CHECK(expect_end(*pair.alice).message->status() == sip::status::ServerInternalError);
}

TEST_CASE("sip server: Accept-Contact with require and explicit spares phones without features") {
    Pair pair;
    World::Client& sharer =
        pair.world.add_client("bob", TransportKind::Tls, {.features = ";+sip.http"});
    pair.world.register_client(sharer);
    const auto call = pair.alice->agent.invite(
        pair.world.now, pair.world.invite(*pair.alice, "sip:bob@example.org",
                                          {{"Accept-Contact", "*;+sip.http;require;explicit"}}));
    REQUIRE(call);
    pair.world.run();
    CHECK(count_received(*pair.bob, "INVITE") == 0);
    const auto incoming = take<Call::Incoming>(sharer);
    REQUIRE(incoming);
    CHECK(sharer.agent.answer(pair.world.now, incoming->first, answer_body));
    pair.world.run();
    CHECK(take<Call::Answered>(*pair.alice));

    // A plain call rings both; the one that is not taken hears why it stopped.
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    const auto phone = take<Call::Incoming>(*pair.bob);
    REQUIRE(phone);
    REQUIRE(take<Call::Incoming>(sharer));
    CHECK(pair.bob->agent.answer(pair.world.now, phone->first, answer_body));
    pair.world.run();
    CHECK(take<Call::Answered>(*pair.alice));
    const auto ended = expect_end(sharer);
    CHECK(ended.reason == Call::EndReason::RemoteCancel);
    CHECK(ended.message->reasons().value().front().cause == 200);
}

TEST_CASE("sip server: when nobody has the wanted features the caller gets 480") {
    Pair pair;
    (void)pair.alice->agent.invite(
        pair.world.now, pair.world.invite(*pair.alice, "sip:bob@example.org",
                                          {{"Accept-Contact", "*;+sip.http;require;explicit"}}));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::TemporarilyUnavailable);
    CHECK(count_received(*pair.bob, "INVITE") == 0);
}

TEST_CASE("sip server: contacts of lower q are tried after the others have failed") {
    Pair pair;
    World::Client& second =
        pair.world.add_client("bob", TransportKind::Tls, {.features = ";q=0.5"});
    pair.world.register_client(second);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    const auto first = take<Call::Incoming>(*pair.bob);
    REQUIRE(first);
    CHECK_FALSE(take<Call::Incoming>(second));
    CHECK(pair.bob->agent.reject(pair.world.now, first->first, sip::status::BusyHere));
    pair.world.run();
    const auto other = take<Call::Incoming>(second);
    REQUIRE(other);
    CHECK(second.agent.answer(pair.world.now, other->first, answer_body));
    pair.world.run();
    CHECK(take<Call::Answered>(*pair.alice));
}

TEST_CASE("sip server: one that only rings gives way to the next group") {
    Pair pair;
    World::Client& second =
        pair.world.add_client("bob", TransportKind::Tls, {.features = ";q=0.5"});
    pair.world.register_client(second);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run(19s);
    CHECK(take<Call::Incoming>(*pair.bob));
    CHECK_FALSE(take<Call::Incoming>(second));
    pair.world.run(2s);
    CHECK(expect_end(*pair.bob).reason == Call::EndReason::RemoteCancel);
    CHECK(take<Call::Incoming>(second));
}

TEST_CASE("sip server: all branches fail and the best response goes back") {
    Pair pair;
    World::Client& second = pair.world.add_client("bob");
    pair.world.register_client(second);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    const auto one = take<Call::Incoming>(*pair.bob);
    const auto two = take<Call::Incoming>(second);
    REQUIRE(one);
    REQUIRE(two);
    CHECK(pair.bob->agent.reject(pair.world.now, one->first, sip::status::ServiceUnavailable));
    pair.world.run();
    CHECK_FALSE(take<Call::Ended>(*pair.alice));
    CHECK(second.agent.reject(pair.world.now, two->first, sip::status::BusyHere));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::BusyHere);
}

TEST_CASE("sip server: 6xx stops the search") {
    Pair pair;
    World::Client& second = pair.world.add_client("bob");
    pair.world.register_client(second);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    CHECK(pair.bob->agent.reject(pair.world.now, take<Call::Incoming>(*pair.bob)->first,
                                 sip::status::Decline));
    pair.world.run();
    CHECK(expect_end(second).reason == Call::EndReason::RemoteCancel);
    CHECK(expect_end(*pair.alice).message->status() == sip::status::Decline);
}

TEST_CASE("sip proxy: the choice of RFC 3261 Section 16.7") {
    const auto best = [](std::vector<sip::Status> statuses) {
        return statuses[best_response(statuses)].code;
    };
    CHECK(best({{503}, {486}, {500}}) == 486);
    CHECK(best({{404}, {603}, {401}}) == 603);
    CHECK(best({{302}, {486}}) == 302);
    CHECK(best({{486}, {407}}) == 407);
    CHECK(best({{408}, {486}}) == 486);
    CHECK(best({{487}, {408}}) == 487);
    CHECK(best({{503}, {500}}) == 500);
    CHECK(best({{430}, {480}}) == 480);
}

TEST_CASE("sip server: a 503 from a callee goes back as 500") {
    Pair pair;
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    CHECK(pair.bob->agent.reject(pair.world.now, take<Call::Incoming>(*pair.bob)->first,
                                 sip::status::ServiceUnavailable));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::ServerInternalError);
}

TEST_CASE("sip server: the second flow of an instance is tried when the first one is dead") {
    Pair pair;
    World& world = pair.world;
    const std::string instance = "urn:uuid:00000000-0000-4000-8000-000000000099";
    world.add_account("carol", AccountClass::Modern);
    World::Client& carol = world.add_client("carol", TransportKind::Tls, {.instance = instance});
    (void)world.start_registration(carol, 1);
    world.run();
    const FlowId first = carol.flow;
    world.connect(carol, TransportKind::Tls);
    (void)world.start_registration(carol, 2);
    world.run();
    CHECK(world.server->locations().count("carol") == 2);
    (void)pair.alice->agent.invite(world.now, world.invite(*pair.alice, "sip:carol@example.org"));
    world.run();
    // One INVITE, not two: both flows lead to the same instance.
    CHECK(count_received(carol, "INVITE") == 1);
    REQUIRE(take<Call::Incoming>(carol));
    // The newest flow breaks while it rings: the other one gets it.
    (void)first;
    world.disconnect(carol.flow);
    world.run();
    CHECK(count_received(carol, "INVITE") == 2);
}

TEST_CASE("sip server: the callee's flow closes before it answers") {
    Pair pair;
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    pair.world.disconnect(pair.bob->flow);
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::TemporarilyUnavailable);
    CHECK(pair.world.server->locations().count("bob") == 0);
    CHECK(pair.world.store.size() == 1);
}

TEST_CASE("sip server: the caller's flow closes, and the callee stops ringing") {
    Pair pair;
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    pair.world.disconnect(pair.alice->flow);
    pair.world.run();
    CHECK(expect_end(*pair.bob).reason == Call::EndReason::RemoteCancel);
}

TEST_CASE("sip server: the flow closes in a call: requests to it get 480, the call goes on") {
    Pair pair;
    const auto [caller, callee] = pair.connect();
    pair.world.disconnect(pair.bob->flow);
    CHECK(pair.alice->agent.request(pair.world.now, caller, "INFO", {}));
    pair.world.run();
    CHECK(take<Call::RequestAnswered>(*pair.alice)->second.response.status() ==
          sip::status::TemporarilyUnavailable);
    CHECK_FALSE(take<Call::Ended>(*pair.alice));
    // From a new connection the callee can still reach the caller.
    pair.world.connect(*pair.bob, TransportKind::Tls);
    pair.bob->agent.replace_flow(FlowId{2}, pair.bob->flow);
    CHECK(pair.bob->agent.bye(pair.world.now, callee));
    pair.world.run();
    CHECK(expect_end(*pair.alice).reason == Call::EndReason::RemoteBye);
}

TEST_CASE(
    "sip server: a caller comes back by another flow before the old one is known to be gone") {
    Pair pair;
    const auto [caller, callee] = pair.connect();
    const FlowId old = pair.alice->flow;
    pair.world.connect(*pair.alice, TransportKind::Tls);
    pair.alice->agent.replace_flow(old, pair.alice->flow);
    CHECK(pair.alice->agent.request(pair.world.now, caller, "INFO", {}));
    pair.world.run();
    CHECK(take<Call::RequestReceived>(*pair.bob));
    // What the old connection's owner would have had from the callee is lost with it, not the call.
    CHECK(pair.alice->agent.bye(pair.world.now, caller));
    pair.world.run();
    CHECK(expect_end(*pair.bob).reason == Call::EndReason::RemoteBye);
}

TEST_CASE("sip server: what the callee asks follows a caller that has come back by another flow") {
    for (const bool is_known_to_be_gone : {false, true}) {
        CAPTURE(is_known_to_be_gone);
        Pair pair;
        World& world = pair.world;
        const auto [caller, callee] = pair.connect();
        const FlowId old = pair.alice->flow;
        if (is_known_to_be_gone) world.disconnect(old);
        world.connect(*pair.alice, TransportKind::Tls, "alice");
        pair.alice->agent.replace_flow(old, pair.alice->flow);
        CHECK(pair.alice->agent.reinvite(world.now, caller, answer_body));
        world.run();
        REQUIRE(take<Call::Reinvited>(*pair.bob));
        CHECK(pair.bob->agent.answer_reinvite(world.now, callee, answer_body));
        world.run();
        REQUIRE(take<Call::ReinviteAnswered>(*pair.alice));
        CHECK(pair.bob->agent.request(world.now, callee, "INFO", {}));
        world.run();
        CHECK(take<Call::RequestReceived>(*pair.alice));
    }
}

TEST_CASE("sip server: nobody draws another user's requests to a flow of their own") {
    Pair pair;
    World& world = pair.world;
    const auto [caller, callee] = pair.connect();
    const FlowId old = pair.alice->flow;
    // The same route, by a flow that has shown to be somebody else's, or nobody's.
    for (const std::optional<std::string>& user :
         {std::optional<std::string>{"bob"}, std::optional<std::string>{}}) {
        world.connect(*pair.alice, TransportKind::Tls, user);
        pair.alice->agent.replace_flow(old, pair.alice->flow);
        CHECK(pair.alice->agent.request(world.now, caller, "INFO", {}));
        world.run();
        REQUIRE(take<Call::RequestReceived>(*pair.bob));
        const FlowId thief = pair.alice->flow;
        pair.alice->agent.replace_flow(thief, old);
        CHECK(pair.bob->agent.request(world.now, callee, "INFO", {}));
        world.run(10ms);
        world.run(10ms);
        CHECK(world.last_to_client == old);
        world.run();
    }
}

TEST_CASE(
    "sip server: a call outlives the connections of both ends, and is ended by the new ones") {
    Pair pair;
    World& world = pair.world;
    const auto [caller, callee] = pair.connect();
    world.disconnect(pair.bob->flow);
    world.connect(*pair.bob, TransportKind::Tls);
    const auto registration = sip::RegistrationId{1};
    world.run(61s);  // no pong was seen on the first flow yet, so it waits
    CHECK(pair.bob->agent.use_flow(world.now, registration, pair.bob->flow));
    world.run();
    REQUIRE(World::take_registered(*pair.bob));
    CHECK(pair.alice->agent.request(world.now, caller, "INFO", {}));
    world.run();
    REQUIRE(take<Call::RequestReceived>(*pair.bob));

    world.disconnect(pair.alice->flow);
    world.connect(*pair.alice, TransportKind::Tls);
    world.run(61s);
    CHECK(pair.alice->agent.use_flow(world.now, registration, pair.alice->flow));
    world.run();
    CHECK(pair.bob->agent.bye(world.now, callee));
    world.run();
    CHECK(expect_end(*pair.alice).reason == Call::EndReason::RemoteBye);
    CHECK(count_received(*pair.bob, "SIP/2.0 200") >= 2);
}

TEST_CASE("sip server: timer C gives up a callee that never answers") {
    World world;
    ServerConfig config = World::config();
    config.proxy.timer_c = 20s;
    world.start_server(config);
    world.add_account("bob", AccountClass::Modern);
    World::Client& bob = world.add_client("bob");
    world.register_client(bob);
    World::Client& eve =
        world.add_client("eve", TransportKind::Tls, {.domain = "elsewhere.example"});
    (void)eve.agent.invite(world.now, world.invite(eve, "sip:bob@example.org"));
    world.run(19s);
    const auto incoming = take<Call::Incoming>(bob);
    REQUIRE(incoming);
    CHECK(bob.agent.ring(world.now, incoming->first));  // starts it anew
    world.run(19s);
    CHECK_FALSE(take<Call::Ended>(eve));
    world.run(2s);
    CHECK(expect_end(bob).reason == Call::EndReason::RemoteCancel);
    CHECK(expect_end(eve).message->status() == sip::status::RequestTerminated);
}

TEST_CASE("sip server: after a restart clients come back and can be called") {
    Pair pair;
    CHECK(pair.world.store.size() == 2);
    pair.world.restart_server();
    CHECK(pair.world.loaded == 2);
    // Known, but there is no flow to bob yet.
    pair.world.connect(*pair.alice, TransportKind::Tls);
    (void)pair.world.start_registration(*pair.alice);
    pair.world.run();
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org"));
    pair.world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::TemporarilyUnavailable);
    pair.world.connect(*pair.bob, TransportKind::Tls);
    (void)pair.world.start_registration(*pair.bob);
    pair.world.run();
    CHECK(pair.world.server->locations().size() == 2);
    pair.connect();
}

TEST_CASE("sip server: only who belongs to the domain calls out through it") {
    Pair pair;
    World& world = pair.world;
    World::Client& stranger =
        world.add_client("eve", TransportKind::Tls, {.domain = "elsewhere.example"});
    // A stranger reaches our users,
    (void)stranger.agent.invite(world.now, world.invite(stranger, "sip:bob@example.org"));
    world.run();
    CHECK(take<Call::Incoming>(*pair.bob));
    // but nobody else,
    (void)stranger.agent.invite(world.now, world.invite(stranger, "sip:x@third.example"));
    world.run();
    CHECK(expect_end(stranger).message->status() == sip::status::Forbidden);
    // not in anybody's name,
    CHECK(answer_to(world, stranger,
                    request_text("INVITE", "sip:bob@example.org", "sip:alice@example.org"))
              .starts_with("SIP/2.0 407"));
    // and not by claiming to be in a dialog.
    CHECK(answer_to(world, stranger,
                    request_text("INVITE", "sip:x@third.example", "sip:eve@elsewhere.example", "",
                                 "fake"))
              .starts_with("SIP/2.0 403"));
    CHECK(answer_to(
              world, stranger,
              request_text("MESSAGE", "sip:bob@example.org", "sip:alice@example.org", "", "fake"))
              .starts_with("SIP/2.0 407"));
    CHECK(world.routes_wanted.empty());

    // A user of ours goes out where the application finds a way.
    World::Client& other = world.add_client("x", TransportKind::Tls, {.domain = "third.example"});
    world.routes["third.example"] = other.flow;
    (void)pair.alice->agent.invite(world.now, world.invite(*pair.alice, "sip:x@third.example"));
    world.run();
    CHECK(world.routes_wanted == std::vector<std::string>{"sip:x@third.example"});
    CHECK(take<Call::Incoming>(other));
    (void)pair.alice->agent.invite(world.now, world.invite(*pair.alice, "sip:x@fourth.example"));
    world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::ServerInternalError);
}

TEST_CASE("sip server: over UDP each call shows a digest, and a wrong one is refused") {
    Pair pair{TransportKind::Udp};
    pair.connect();
    CHECK(count_received(*pair.alice, "SIP/2.0 407") == 1);
    World::Client& mallory =
        pair.world.add_client("alice", TransportKind::Udp, {.password = "guess"});
    (void)mallory.agent.invite(pair.world.now, pair.world.invite(mallory, "sip:bob@example.org"));
    pair.world.run(40s);
    CHECK(expect_end(mallory).reason == Call::EndReason::Unauthorized);
}

TEST_CASE("sip server: a token opens its flow only within a dialog, and not when changed") {
    Pair pair;
    World& world = pair.world;
    const auto [caller, callee] = pair.connect();
    const auto routes = pair.alice->agent.find(caller)->dialog()->route_set();
    REQUIRE(routes.size() == 2);
    const std::string to_bob = "Route: " + routes[1].to_string() + "\n";
    World::Client& stranger =
        world.add_client("eve", TransportKind::Tls, {.domain = "elsewhere.example"});
    const std::size_t before = count_received(*pair.bob, "MESSAGE");
    CHECK(
        answer_to(world, stranger,
                  request_text("MESSAGE", "sip:bob@10.0.0.2", "sip:eve@elsewhere.example", to_bob))
            .starts_with("SIP/2.0 403"));
    std::string changed = to_bob;
    const std::size_t place = changed.find('@') - 3;
    changed[place] = changed[place] == 'A' ? 'B' : 'A';
    CHECK(answer_to(
              world, stranger,
              request_text("BYE", "sip:bob@10.0.0.2", "sip:eve@elsewhere.example", changed, "x"))
              .starts_with("SIP/2.0 403"));
    CHECK(count_received(*pair.bob, "MESSAGE") == before);
    (void)callee;
}

TEST_CASE("sip server: a callee cannot fish for digests by challenging in the domain's name") {
    Pair pair;
    World& world = pair.world;
    World::Client& other = world.add_client("x", TransportKind::Tls, {.domain = "third.example"});
    world.routes["third.example"] = other.flow;
    (void)pair.alice->agent.invite(world.now, world.invite(*pair.alice, "sip:x@third.example"));
    world.run();
    const auto incoming = take<Call::Incoming>(other);
    REQUIRE(incoming);
    CHECK(other.agent.reject(
        world.now, incoming->first, sip::status::ProxyAuthenticationRequired,
        {.headers = {{"Proxy-Authenticate",
                      "Digest realm=\"example.org\", nonce=\"fished\", algorithm=MD5"}}}));
    world.run();
    CHECK(expect_end(*pair.alice).message->status() == sip::status::BadGateway);
    CHECK(world.server->proxy_counters().challenges_stripped == 1);
    CHECK(count_received(other, "INVITE") == 1);
}

TEST_CASE("sip server: Max-Forwards, Proxy-Require and loops are refused") {
    Pair pair;
    World& world = pair.world;
    const std::string alice = "sip:alice@example.org";
    CHECK(answer_to(world, *pair.alice,
                    request_text("MESSAGE", "sip:bob@example.org", alice, "Max-Forwards: 0\n"))
              .starts_with("SIP/2.0 483"));
    CHECK(answer_to(
              world, *pair.alice,
              request_text("MESSAGE", "sip:bob@example.org", alice, "Proxy-Require: teleport\n"))
              .starts_with("SIP/2.0 420"));
    // bob's contact is alice's address and hers is his.
    World loop;
    World::Client& carol = loop.add_client("carol");
    loop.connect(carol, TransportKind::Tls, "carol");
    loop.routes["example.org"] = carol.flow;
    (void)answer_to(loop, carol,
                    "REGISTER sip:example.org SIP/2.0\nVia: SIP/2.0/TLS "
                    "10.0.0.9;branch=z9hG4bK1\nVia: SIP/2.0/TLS x;branch=z9hG4bK2\nFrom: "
                    "<sip:carol@example.org>;tag=1\nTo: <sip:carol@example.org>\nCall-ID: "
                    "r\nCSeq: 1 REGISTER\nContact: <sip:carol@example.org>\n\n");
    REQUIRE(loop.server->locations().size() == 1);
    (void)answer_to(loop, carol,
                    request_text("MESSAGE", "sip:carol@example.org", "sip:carol@example.org"));
    // What went out comes back in.
    REQUIRE(!loop.sent_by_server.empty());
    const std::string forwarded = loop.sent_by_server.back();
    REQUIRE(forwarded.starts_with("MESSAGE"));
    loop.sent_by_server.clear();
    loop.server->handle_message(loop.now, carol.flow,
                                sip::parse_message(to_bytes(forwarded)).value());
    loop.settle();
    REQUIRE(!loop.sent_by_server.empty());
    CHECK(loop.sent_by_server.front().starts_with("SIP/2.0 482"));
}

TEST_CASE("sip server: what is forwarded") {
    Pair pair;
    World& world = pair.world;
    world.sent_by_server.clear();
    (void)pair.alice->agent.invite(world.now, world.invite(*pair.alice, "sip:bob@example.org"));
    world.run(50ms);
    std::optional<Message> forwarded;
    for (const std::string& text : world.sent_by_server) {
        if (text.starts_with("INVITE")) forwarded = sip::parse_message(to_bytes(text)).value();
    }
    REQUIRE(forwarded);
    CHECK(forwarded->request_uri()->host.text.starts_with("10.0.0."));
    CHECK(forwarded->max_forwards() == 69);
    CHECK(forwarded->find(sip::HeaderName::MaxBreadth) == "60");
    const auto vias = forwarded->vias().copies().value();
    REQUIRE(vias.size() == 2);
    CHECK(vias[0].branch()->starts_with("z9hG4bKs0."));
    CHECK(vias[1].received() == IpAddress::parse("198.51.100.1"));
    CHECK(vias[1].rport()->port == Port{20001});
    const auto routes = forwarded->routes(sip::HeaderName::RecordRoute).copies().value();
    REQUIRE(routes.size() == 2);
    for (const auto& route : routes) {
        CHECK(route.uri.is_loose_route());
        CHECK(route.uri.host.text() == "sip.example.org");
        CHECK(route.uri.port == Port{5061});
        CHECK(route.uri.user);
    }
    CHECK_FALSE(forwarded->contains(sip::HeaderName::ProxyAuthorization));
}

TEST_CASE("sip server: MESSAGE passes, and one that nobody answers gets no 408") {
    Pair pair;
    World& world = pair.world;
    const auto sent = pair.alice->agent.request(
        world.now, sip::OutsideRequest{.flow = pair.alice->flow,
                                       .method = "MESSAGE",
                                       .target = sip::Uri::parse("sip:bob@example.org").value(),
                                       .route = {},
                                       .headers = {},
                                       .body = sip::Body{"text/plain", to_bytes("hello")}});
    REQUIRE(sent);
    world.run();
    const auto received = take_event<sip::UserAgent::RequestReceived>(*pair.bob);
    REQUIRE(received);
    CHECK(received->request.body_text() == "hello");
    pair.bob->agent.respond(world.now, received->transaction, sip::status::Ok);
    world.run();
    CHECK(take_event<sip::UserAgent::RequestAnswered>(*pair.alice)->response.status() ==
          sip::status::Ok);

    (void)pair.alice->agent.request(
        world.now, sip::OutsideRequest{.flow = pair.alice->flow,
                                       .method = "MESSAGE",
                                       .target = sip::Uri::parse("sip:bob@example.org").value(),
                                       .route = {},
                                       .headers = {},
                                       .body = std::nullopt});
    world.run(60s);
    CHECK(count_received(*pair.alice, "SIP/2.0 408") == 0);
    CHECK(take_event<sip::UserAgent::RequestFailed>(*pair.alice));
}

TEST_CASE("sip server: Request-Disposition: no-fork and sequential") {
    Pair pair;
    World::Client& second = pair.world.add_client("bob");
    pair.world.register_client(second);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org",
                                                     {{"Request-Disposition", "no-fork"}}));
    pair.world.run(30s);
    CHECK(count_received(*pair.bob, "INVITE") + count_received(second, "INVITE") == 1);
    (void)pair.alice->agent.invite(pair.world.now,
                                   pair.world.invite(*pair.alice, "sip:bob@example.org",
                                                     {{"Request-Disposition", "sequential"}}));
    pair.world.run(10s);
    CHECK(count_received(*pair.bob, "INVITE") + count_received(second, "INVITE") == 2);
    pair.world.run(20s);
    CHECK(count_received(*pair.bob, "INVITE") + count_received(second, "INVITE") == 3);
}

TEST_CASE("sip server: Max-Breadth bounds what runs at once") {
    Pair pair;
    World& world = pair.world;
    World::Client& second = world.add_client("bob");
    world.register_client(second);
    world.server->handle_message(world.now, pair.alice->flow,
                                 parsed(request_text("INVITE", "sip:bob@example.org",
                                                     "sip:alice@example.org", "Max-Breadth: 1\n")));
    world.run(10s);
    CHECK(count_received(*pair.bob, "INVITE") + count_received(second, "INVITE") == 1);
    CHECK(answer_to(world, *pair.alice,
                    request_text("INVITE", "sip:bob@example.org", "sip:alice@example.org",
                                 "Max-Breadth: 0\n"))
              .starts_with("SIP/2.0 440"));
}

TEST_CASE("sip server: a ping is answered at once") {
    Pair pair;
    pair.world.sent_by_server.clear();
    pair.world.server->handle_ping(pair.world.now, pair.alice->flow);
    pair.world.settle();
    CHECK(pair.world.sent_by_server == std::vector<std::string>{"\r\n"});
}

TEST_CASE("sip server: the transaction table is bounded") {
    World world;
    ServerConfig config = World::config();
    config.most_transactions = 3;
    world.start_server(config);
    World::Client& eve =
        world.add_client("eve", TransportKind::Tls, {.domain = "elsewhere.example"});
    world.hold_accounts = true;
    for (int i = 0; i < 3; ++i) {
        CHECK(answer_to(
                  world, eve,
                  request_text("MESSAGE", "sip:bob@example.org", "sip:e@elsewhere.example")) == "");
    }
    CHECK(answer_to(world, eve,
                    request_text("MESSAGE", "sip:bob@example.org", "sip:e@elsewhere.example"))
              .starts_with("SIP/2.0 503"));
}

TEST_CASE("sip server: over UDP with loss every call comes up and ends") {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        CAPTURE(seed);
        Pair pair{TransportKind::Udp, seed};
        World& world = pair.world;
        world.loss_one_in = 5;
        const auto call =
            pair.alice->agent.invite(world.now, world.invite(*pair.alice, "sip:bob@example.org"));
        REQUIRE(call);
        std::optional<CallId> callee;
        for (int i = 0; i < 60 && !callee; ++i) {
            world.run();
            if (const auto incoming = take<Call::Incoming>(*pair.bob)) callee = incoming->first;
        }
        REQUIRE(callee);
        CHECK(pair.bob->agent.answer(world.now, *callee, answer_body));
        bool answered = false;
        bool acknowledged = false;
        for (int i = 0; i < 31 && !(answered && acknowledged); ++i) {
            world.run();
            answered = answered || take<Call::Answered>(*pair.alice).has_value();
            acknowledged = acknowledged || take<Call::Acknowledged>(*pair.bob).has_value();
        }
        CHECK(answered);
        CHECK(acknowledged);
        CHECK(pair.alice->agent.bye(world.now, *call));
        world.run(200s);
        CHECK(expect_end(*pair.bob).reason == Call::EndReason::RemoteBye);
        CHECK(pair.alice->agent.call_count() == 0);
        CHECK(pair.bob->agent.call_count() == 0);
    }
}

TEST_CASE("sip server: nothing is left when everybody has gone") {
    Pair pair;
    const auto [caller, callee] = pair.connect();
    CHECK(pair.alice->agent.bye(pair.world.now, caller));
    pair.world.run(1s);
    pair.world.disconnect(pair.alice->flow);
    pair.world.disconnect(pair.bob->flow);
    pair.world.run(120s);
    CHECK(pair.world.server->locations().size() == 0);
    CHECK(pair.world.server->flow_count() == 0);
    CHECK_FALSE(pair.world.server->poll_timeout());
    CHECK(pair.world.store.empty());
}

}  // namespace
}  // namespace stile::sip_server::testing
