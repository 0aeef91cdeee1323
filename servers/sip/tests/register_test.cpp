// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "server_world.hpp"

namespace stile::sip_server::testing {
namespace {

using sip::Message;
using sip::MessageBuilder;

// What the server answers to raw octets on a client's flow.
std::vector<Message> exchange(World& world, World::Client& client, const std::string& text) {
    std::string wire;
    for (const char c : text) {
        if (c == '\n') wire += '\r';
        wire += c;
    }
    world.sent_by_server.clear();
    auto message = sip::parse_message(to_bytes(wire));
    REQUIRE(message);
    world.server->handle_message(world.now, client.flow, *std::move(message));
    world.settle();
    std::vector<Message> answers;
    for (const std::string& sent : world.sent_by_server) {
        answers.push_back(sip::parse_message(to_bytes(sent)).value());
    }
    return answers;
}

std::string register_text(int sequence, const std::string& extra,
                          const std::string& user = "alice") {
    return "REGISTER sip:example.org SIP/2.0\n"
           "Via: SIP/2.0/TLS 10.0.0.9;branch=z9hG4bK" +
           std::to_string(sequence) + user + "\nFrom: <sip:" + user +
           "@example.org>;tag=1\nTo: <sip:" + user +
           "@example.org>\nCall-ID: c\nCSeq: " + std::to_string(sequence) + " REGISTER\n" + extra +
           "\n";
}

// A client whose certificate speaks for alice, so that requests can be written by hand.
World::Client& trusted(World& world) {
    World::Client& client = world.add_client("alice");
    world.connect(client, TransportKind::Tls, "alice");
    return client;
}

TEST_CASE("sip server: a modern account registers with SHA-512-256") {
    World world;
    world.add_account("alice", AccountClass::Modern);
    World::Client& alice = world.add_client("alice");
    world.register_client(alice);
    CHECK(world.server->locations().size() == 1);
    CHECK(world.server->counters().registrations == 1);
    const Message challenge = sip::parse_message(to_bytes(world.sent_by_server.front())).value();
    const auto offered = sip::challenges(challenge, sip::HeaderName::WwwAuthenticate);
    REQUIRE(offered.size() == 2);
    CHECK(offered[0].algorithm == sip::AuthAlgorithm::Sha512_256);
    CHECK(offered[1].algorithm == sip::AuthAlgorithm::Sha256);
    CHECK(world.store.size() == 1);
}

TEST_CASE("sip server: a compatible account gets one MD5 challenge, and only over TLS or WSS") {
    for (const auto transport : {TransportKind::Tls, TransportKind::Wss}) {
        World world;
        world.add_account("phone", AccountClass::Compatible);
        World::Client& phone = world.add_client("phone", transport);
        world.register_client(phone);
        const Message challenge =
            sip::parse_message(to_bytes(world.sent_by_server.front())).value();
        const auto offered = sip::challenges(challenge, sip::HeaderName::WwwAuthenticate);
        REQUIRE(offered.size() == 1);
        CHECK(offered[0].algorithm == sip::AuthAlgorithm::Md5);
    }
    for (const auto transport : {TransportKind::Udp, TransportKind::Tcp, TransportKind::Ws}) {
        World world;
        world.add_account("phone", AccountClass::Compatible);
        World::Client& phone = world.add_client("phone", transport);
        (void)world.start_registration(phone);
        world.run();
        CHECK(World::take_failed(phone)->status == sip::status::Forbidden);
        CHECK(world.server->locations().size() == 0);
    }
    World world;
    ServerConfig config = World::config();
    config.md5_transports = Md5Transports::Any;
    world.start_server(config);
    world.add_account("phone", AccountClass::Compatible);
    World::Client& phone = world.add_client("phone", TransportKind::Udp);
    world.register_client(phone);
}

TEST_CASE("sip server: a wrong password and an unknown user get the same answers") {
    World world;
    world.add_account("alice", AccountClass::Modern);
    World::Client& alice = world.add_client("alice", TransportKind::Tls, {.password = "wrong"});
    World::Client& nobody = world.add_client("nobody");
    (void)world.start_registration(alice);
    (void)world.start_registration(nobody);
    world.run();
    const auto first = World::take_failed(alice);
    const auto second = World::take_failed(nobody);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->failure == sip::Registration::Failure::Unauthorized);
    CHECK(second->failure == first->failure);
    CHECK(second->status == first->status);
    CHECK(alice.received == nobody.received);
    CHECK(world.server->locations().size() == 0);
    CHECK(world.server->counters().auth_failures == 2);
}

TEST_CASE("sip server: after too many wrong passwords a flow is told 403") {
    World world;
    world.add_account("alice", AccountClass::Modern);
    World::Client& alice = world.add_client("alice", TransportKind::Tls, {.password = "wrong"});
    for (std::uint32_t i = 0; i < most_auth_failures; ++i) {
        const sip::RegistrationId id = world.start_registration(alice);
        world.run();
        const auto failed = World::take_failed(alice);
        REQUIRE(failed);
        CHECK(failed->status ==
              (i + 1 < most_auth_failures ? sip::status::Unauthorized : sip::status::Forbidden));
        CHECK(alice.agent.unregister(world.now, id));
        world.run();
    }
}

TEST_CASE("sip server: MD5 credentials are not taken for a modern account") {
    World world;
    world.add_account("alice", AccountClass::Modern);
    World::Client& alice = world.add_client("alice");
    auto answers = exchange(world, alice, register_text(1, "Contact: <sip:alice@10.0.0.9>\n"));
    REQUIRE(answers.size() == 1);
    auto offered = sip::challenges(answers[0], sip::HeaderName::WwwAuthenticate);
    sip::Credentials credentials{.username = "alice",
                                 .realm = "example.org",
                                 .nonce = offered[0].nonce,
                                 .uri = "sip:example.org",
                                 .algorithm = sip::AuthAlgorithm::Md5,
                                 .qop = sip::Qop::Auth,
                                 .cnonce = "c",
                                 .nonce_count = 1};
    const auto secret =
        sip::AuthSecret::from_password(sip::AuthAlgorithm::Md5, "alice", "example.org", "secret");
    credentials.response = sip::digest_response({.algorithm = sip::AuthAlgorithm::Md5,
                                                 .ha1 = secret.ha1,
                                                 .method = "REGISTER",
                                                 .uri = "sip:example.org",
                                                 .nonce = credentials.nonce,
                                                 .cnonce = "c",
                                                 .nonce_count = 1,
                                                 .qop = sip::Qop::Auth,
                                                 .body = {}});
    answers = exchange(world, alice,
                       register_text(2, "Contact: <sip:alice@10.0.0.9>\nAuthorization: " +
                                            credentials.to_string() + "\n"));
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status() == sip::status::Unauthorized);
    CHECK(world.server->locations().size() == 0);
}

TEST_CASE("sip server: a nonce serves the flow that it was made for, and no other") {
    World world;
    world.add_account("alice", AccountClass::Modern);
    World::Client& alice = world.add_client("alice");
    World::Client& mallory = world.add_client("alice");
    std::string heard;
    world.register_client(alice);
    auto answers = exchange(world, alice, register_text(1, ""));
    REQUIRE(answers.size() == 1);
    const auto offered = sip::challenges(answers[0], sip::HeaderName::WwwAuthenticate);
    sip::DigestClient digest{{.username = "alice", .realm = "example.org", .password = "secret"},
                             crypto::RandomStream{crypto::seed_from_number(3)}};
    REQUIRE(digest.handle_challenge(answers[0]) == sip::DigestClient::Outcome::Retry);
    const auto line = digest.authorize("REGISTER", "sip:example.org", {}).at(0).value;
    const std::string text =
        register_text(2, "Contact: <sip:mallory@10.6.6.6>\nAuthorization: " + line + "\n");
    answers = exchange(world, mallory, text);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status() == sip::status::Unauthorized);
    CHECK(world.server->locations().size() == 1);
}

TEST_CASE("sip server: credentials may name the server otherwise than the request does") {
    const auto status_for = [](std::string_view uri) {
        World world;
        world.add_account("alice", AccountClass::Modern);
        World::Client& alice = world.add_client("alice");
        auto answers = exchange(world, alice, register_text(1, ""));
        REQUIRE(answers.size() == 1);
        sip::DigestClient digest{
            {.username = "alice", .realm = "example.org", .password = "secret"},
            crypto::RandomStream{crypto::seed_from_number(3)}};
        REQUIRE(digest.handle_challenge(answers[0]) == sip::DigestClient::Outcome::Retry);
        answers = exchange(
            world, alice,
            register_text(
                2, "Authorization: " + digest.authorize("REGISTER", uri, {}).at(0).value + "\n"));
        REQUIRE(answers.size() == 1);
        return answers[0].status();
    };
    CHECK(status_for("sip:example.org") == sip::status::Ok);
    CHECK(status_for("sip:EXAMPLE.org") == sip::status::Ok);
    CHECK(status_for("sip:sip.example.org:5060") == sip::status::Ok);
    CHECK(status_for("sip:sip.example.org") == sip::status::Ok);
    CHECK(status_for("sip:elsewhere.example") == sip::status::Unauthorized);
    CHECK(status_for("nonsense") == sip::status::Unauthorized);
}

TEST_CASE("sip server: a stale nonce is replaced without asking for the password again") {
    World world;
    ServerConfig config = World::config();
    config.nonce_lifetime = 30s;
    config.registrar.least_expires_seconds = 60;
    config.registrar.most_expires_seconds = 60;
    world.start_server(config);
    world.add_account("alice", AccountClass::Modern);
    World::Client& alice = world.add_client("alice");
    world.register_client(alice);
    world.run(300s);
    CHECK_FALSE(World::take_failed(alice));
    CHECK(World::take_registered(alice));
    CHECK(world.server->locations().size() == 1);
    CHECK(world.server->counters().auth_failures == 0);
}

TEST_CASE("sip server: a TLS client certificate stands for its user, without digest") {
    World world;
    World::Client& alice = world.add_client("alice");
    world.connect(alice, TransportKind::Tls, "alice");
    world.register_client(alice);
    CHECK(world.account_queries == 0);
    CHECK(count_received(alice, "SIP/2.0 401") == 0);
    // And for nobody else.
    const auto answers = exchange(world, alice, register_text(9, "Contact: <sip:x@y>\n", "bob"));
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status() == sip::status::Forbidden);
}

TEST_CASE("sip server: nobody registers for another user") {
    World world;
    world.add_account("alice", AccountClass::Modern);
    world.add_account("bob", AccountClass::Modern);
    World::Client& alice = world.add_client("alice");
    world.register_client(alice);
    auto answers = exchange(world, alice, register_text(1, "", "bob"));
    sip::DigestClient digest{{.username = "alice", .realm = "example.org", .password = "secret"},
                             crypto::RandomStream{crypto::seed_from_number(3)}};
    REQUIRE(digest.handle_challenge(answers.at(0)) == sip::DigestClient::Outcome::Retry);
    const auto line = digest.authorize("REGISTER", "sip:example.org", {}).at(0).value;
    answers = exchange(
        world, alice,
        register_text(2, "Contact: <sip:alice@10.0.0.9>\nAuthorization: " + line + "\n", "bob"));
    CHECK(answers.at(0).status() == sip::status::Forbidden);
    CHECK(world.server->locations().count("bob") == 0);
}

TEST_CASE("sip server: who registers for what is no SIP URI is told so") {
    World world;
    std::string text = register_text(1, "");
    const std::size_t begin = text.find("To: ");
    text.replace(begin, text.find('\n', begin) - begin, "To: isbn:2983792873");
    const auto answers = exchange(world, trusted(world), text);
    CHECK(answers.at(0).status() == sip::status::BadRequest);
}

TEST_CASE("sip server: the 200 to REGISTER waits for the store") {
    World world;
    world.hold_store = true;
    World::Client& alice = trusted(world);
    auto answers = exchange(world, alice, register_text(1, "Contact: <sip:alice@10.0.0.9>\n"));
    CHECK(answers.empty());
    REQUIRE(world.held_batches.size() == 1);
    REQUIRE(world.held_batches[0].changes.size() == 1);
    world.server->handle_persisted(world.now, world.held_batches[0].batch, PersistResult::Written);
    world.settle();
    REQUIRE(world.sent_by_server.size() == 1);
    CHECK(world.sent_by_server[0].starts_with("SIP/2.0 200"));
    // A second answer of the store changes nothing.
    world.server->handle_persisted(world.now, world.held_batches[0].batch, PersistResult::Failed);
    world.settle();
    CHECK(world.sent_by_server.size() == 1);

    answers = exchange(world, alice, register_text(2, "Contact: <sip:alice@10.0.0.9>\n"));
    world.server->handle_persisted(world.now, world.held_batches[1].batch, PersistResult::Failed);
    world.settle();
    CHECK(world.sent_by_server.at(0).starts_with("SIP/2.0 500"));

    answers = exchange(world, alice, register_text(3, "Contact: <sip:alice@10.0.0.9>\n"));
    world.run(33s);
    CHECK(world.sent_by_server.at(0).starts_with("SIP/2.0 500"));
}

TEST_CASE("sip server: bindings by Contact: query, refresh, several, removal, wildcard") {
    World world;
    World::Client& alice = trusted(world);
    auto answers =
        exchange(world, alice,
                 register_text(
                     1, "Contact: <sip:alice@10.0.0.9>;expires=600, <sip:alice@10.0.0.8>;q=0.5\n"));
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status() == sip::status::Ok);
    auto contacts = answers[0].contacts().value().values;
    REQUIRE(contacts.size() == 2);
    CHECK(contacts[0].expires_seconds() == 3600);  // 10.0.0.8 comes first by its key
    CHECK(contacts[0].q()->thousandths == 500);
    CHECK(contacts[1].expires_seconds() == 600);

    world.run(100s);
    answers = exchange(world, alice, register_text(2, ""));
    CHECK(answers.at(0).contacts().value().values.at(1).expires_seconds() == 500);

    answers = exchange(world, alice, register_text(3, "Contact: <sip:alice@10.0.0.8>;expires=0\n"));
    CHECK(answers.at(0).contacts().value().values.size() == 1);
    CHECK(world.store.size() == 1);

    answers = exchange(world, alice, register_text(4, "Contact: *\nExpires: 5\n"));
    CHECK(answers.at(0).status() == sip::status::BadRequest);
    answers = exchange(world, alice, register_text(5, "Contact: *\nExpires: 0\n"));
    CHECK(answers.at(0).status() == sip::status::Ok);
    CHECK(answers.at(0).contacts().value().values.empty());
    CHECK(world.server->locations().size() == 0);
    CHECK(world.store.empty());
}

TEST_CASE("sip server: a REGISTER that was overtaken changes nothing") {
    World world;
    World::Client& alice = trusted(world);
    (void)exchange(world, alice, register_text(5, "Contact: <sip:alice@10.0.0.9>\n"));
    const auto answers =
        exchange(world, alice, register_text(4, "Contact: <sip:alice@10.0.0.9>;expires=0\n"));
    CHECK(answers.at(0).status() == sip::status::ServerInternalError);
    CHECK(world.server->locations().size() == 1);
}

TEST_CASE("sip server: too short a time gets 423 with the least one") {
    World world;
    World::Client& alice = trusted(world);
    auto answers =
        exchange(world, alice, register_text(1, "Contact: <sip:alice@10.0.0.9>;expires=59\n"));
    CHECK(answers.at(0).status() == sip::status::IntervalTooBrief);
    CHECK(answers.at(0).min_expires_seconds() == 60U);
    answers =
        exchange(world, alice, register_text(2, "Contact: <sip:alice@10.0.0.9>\nExpires: 60\n"));
    CHECK(answers.at(0).status() == sip::status::Ok);
    answers = exchange(world, alice,
                       register_text(3, "Contact: <sip:alice@10.0.0.9>\nExpires: 99999999\n"));
    CHECK(answers.at(0).contacts().value().values.at(0).expires_seconds() == 24 * 3600);
}

TEST_CASE("sip server: a binding expires, and the store is told") {
    World world;
    World::Client& alice = trusted(world);
    (void)exchange(world, alice, register_text(1, "Contact: <sip:alice@10.0.0.9>;expires=60\n"));
    CHECK(world.store.size() == 1);
    world.run(59s);
    CHECK(world.server->locations().size() == 1);
    world.run(2s);
    CHECK(world.server->locations().size() == 0);
    CHECK(world.store.empty());
}

TEST_CASE("sip server: outbound: one instance and reg-id replaces itself, another is beside it") {
    World world;
    World::Client& alice = trusted(world);
    const std::string head = "Supported: path, outbound\nContact: <sip:alice@10.0.0.";
    const std::string tail = ">;+sip.instance=\"<urn:uuid:1>\";reg-id=";
    auto answers = exchange(world, alice, register_text(1, head + "1" + tail + "1\n"));
    CHECK(answers.at(0).status() == sip::status::Ok);
    CHECK(answers.at(0).lists(sip::HeaderName::Require, "outbound"));
    CHECK(answers.at(0).find(sip::HeaderName::FlowTimer) == "120");
    answers = exchange(world, alice, register_text(2, head + "2" + tail + "1\n"));
    CHECK(answers.at(0).contacts().value().values.size() == 1);
    answers = exchange(world, alice, register_text(3, head + "2" + tail + "2\n"));
    CHECK(answers.at(0).contacts().value().values.size() == 2);
    // Both are of this flow: it closes, and they are gone.
    world.disconnect(alice.flow);
    CHECK(world.server->locations().size() == 0);
    CHECK(world.store.empty());
}

TEST_CASE("sip server: outbound through a first hop without it gets 439") {
    World world;
    World::Client& alice = trusted(world);
    const std::string contact =
        "Contact: <sip:alice@10.0.0.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\n";
    const std::string hop = "Via: SIP/2.0/TLS 10.9.9.9;branch=z9hG4bKedge\n";
    auto answers =
        exchange(world, alice, register_text(1, hop + "Supported: path, outbound\n" + contact));
    CHECK(answers.at(0).status() == sip::status::FirstHopLacksOutboundSupport);
    answers = exchange(world, alice, register_text(2, hop + "Supported: path\n" + contact));
    CHECK(answers.at(0).status() == sip::status::Ok);
    CHECK_FALSE(answers.at(0).lists(sip::HeaderName::Require, "outbound"));
    answers = exchange(world, alice,
                       register_text(3, hop + "Path: <sip:token@edge.example;lr;ob>\n" +
                                            "Supported: path, outbound\n" + contact));
    CHECK(answers.at(0).status() == sip::status::Ok);
    CHECK(answers.at(0).lists(sip::HeaderName::Require, "outbound"));
    CHECK(answers.at(0).find(sip::HeaderName::Path) == "<sip:token@edge.example;lr;ob>");
}

TEST_CASE("sip server: two lasting contacts, one with reg-id, are refused") {
    World world;
    World::Client& alice = trusted(world);
    const auto answers =
        exchange(world, alice,
                 register_text(1,
                               "Contact: <sip:a@1.2.3.4>;+sip.instance=\"<urn:uuid:1>\";reg-id=1"
                               ", <sip:a@1.2.3.5>\n"));
    CHECK(answers.at(0).status() == sip::status::BadRequest);
    CHECK(world.server->locations().size() == 0);
}

TEST_CASE("sip server: the limit of bindings a user, at it and one past it") {
    World world;
    World::Client& alice = trusted(world);
    std::vector<Message> answers;
    for (std::size_t i = 0; i < most_bindings_per_user; ++i) {
        answers = exchange(world, alice,
                           register_text(static_cast<int>(i) + 1,
                                         "Contact: <sip:a@10.1.1." + std::to_string(i) + ">\n"));
        CHECK(answers.at(0).status() == sip::status::Ok);
    }
    answers = exchange(world, alice, register_text(100, "Contact: <sip:a@10.2.2.2>\n"));
    CHECK(answers.at(0).status() == sip::status::Forbidden);
    CHECK(world.server->locations().size() == most_bindings_per_user);
    // One of those that are there may still be refreshed.
    answers = exchange(world, alice, register_text(101, "Contact: <sip:a@10.1.1.1>\n"));
    CHECK(answers.at(0).status() == sip::status::Ok);
}

TEST_CASE("sip server: a full table answers 503") {
    World world;
    ServerConfig config = World::config();
    config.most_bindings = 2;
    world.start_server(config);
    World::Client& alice = trusted(world);
    CHECK(exchange(world, alice, register_text(1, "Contact: <sip:a@10.1.1.1>\n")).at(0).status() ==
          sip::status::Ok);
    CHECK(exchange(world, alice, register_text(2, "Contact: <sip:a@10.1.1.2>\n")).at(0).status() ==
          sip::status::Ok);
    CHECK(exchange(world, alice, register_text(3, "Contact: <sip:a@10.1.1.3>\n")).at(0).status() ==
          sip::status::ServiceUnavailable);
}

TEST_CASE("sip server: what it must understand and does not gets 420") {
    World world;
    World::Client& alice = trusted(world);
    const auto answers = exchange(
        world, alice, register_text(1, "Require: path, teleport\nContact: <sip:a@10.1.1.1>\n"));
    CHECK(answers.at(0).status() == sip::status::BadExtension);
    CHECK(answers.at(0).find(sip::HeaderName::Unsupported) == "teleport");
}

TEST_CASE("sip server: bindings survive a restart by way of the store") {
    World world;
    World::Client& alice = trusted(world);
    (void)exchange(
        world, alice,
        register_text(1, "Path: <sip:edge.example;lr>\nContact: <sip:alice@10.0.0.9>;q=0.3\n"));
    world.run(100s);
    world.restart_server();
    CHECK(world.loaded == 1);
    const auto bindings = world.server->locations().find("alice", world.now);
    REQUIRE(bindings.size() == 1);
    CHECK(bindings[0]->contact.q()->thousandths == 300);
    CHECK(bindings[0]->path.size() == 1);
    CHECK(bindings[0]->expires_at - world.now == 3500s);
    CHECK_FALSE(bindings[0]->flow);
    // And expire as they would have.
    world.run(3500s);
    CHECK(world.server->locations().size() == 0);
}

TEST_CASE("sip server: OPTIONS to the server itself is answered") {
    World world;
    World::Client& alice = world.add_client("alice");
    const auto answers =
        exchange(world, alice,
                 "OPTIONS sip:example.org SIP/2.0\nVia: SIP/2.0/TLS 10.0.0.9;branch=z9hG4bKo\n"
                 "From: <sip:x@elsewhere.example>;tag=1\nTo: <sip:example.org>\nCall-ID: o\n"
                 "CSeq: 1 OPTIONS\nMax-Forwards: 70\n\n");
    CHECK(answers.at(0).status() == sip::status::Ok);
    CHECK(answers.at(0).contains(sip::HeaderName::Allow));
}

}  // namespace
}  // namespace stile::sip_server::testing
