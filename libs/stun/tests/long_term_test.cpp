// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/long_term_client.hpp>
#include <stile/stun/long_term_server.hpp>

namespace stile::stun {
namespace {

using namespace test;
using Outcome = LongTermClient::Outcome;

const WallTime noon{std::chrono::seconds{1'700'000'000}};

PasswordAlgorithms both_algorithms() {
    PasswordAlgorithms algorithms;
    algorithms.add(PasswordAlgorithm::Sha256);
    algorithms.add(PasswordAlgorithm::Md5);
    return algorithms;
}

LongTermServer::Config config(PasswordAlgorithms algorithms = both_algorithms()) {
    LongTermServer::Config made;
    made.realm = "example.org";
    made.nonce_key.fill(std::byte{7});
    made.algorithms = algorithms;
    return made;
}

// A server with one user, george, whose password is `password`.
struct Site {
    LongTermServer server;
    std::string password = "secret";

    // The answer to a request; 200 has no attribute of its own.
    Bytes answer(const Bytes& request, const SocketAddress& client, WallTime now) const {
        const MessageView message = view(request);
        const auto claim = server.examine(message);
        if (!claim) return server.refuse(message, claim.error(), client, now);
        const bool known =
            std::holds_alternative<Username>(claim->user)
                ? std::get<Username>(claim->user).text == "george"
                : std::get<UserHash>(claim->user) == UserHash::of("george", server.realm());
        const IntegrityKey key = server.key_of("george", password, claim->algorithm);
        const auto verified = server.verify(message, *claim, known ? &key : nullptr, client, now);
        if (!verified) return server.refuse(message, verified.error(), client, now);
        MessageBuilder builder = MessageBuilder::reply(message, Class::SuccessResponse);
        return builder.add_integrity(key, claim->reply_kind).finish();
    }
};

Bytes request_of(const LongTermClient& client, std::uint8_t id = 1) {
    MessageBuilder builder{Class::Request, Method::Allocate, id_of(id)};
    client.authenticate(builder);
    return builder.finish();
}

const SocketAddress& here() {
    static const SocketAddress address = test::address("192.0.2.7:4000");
    return address;
}

int code_of(const Bytes& answer) {
    const auto error = view(answer).get<ErrorCode>();
    return error ? error->code : 200;
}

struct Exchange {
    int code;
    Outcome outcome;
};

Exchange exchange(LongTermClient& client, const Site& site, WallTime now = noon,
                  const SocketAddress& from = here()) {
    const Bytes request = request_of(client);
    const Bytes answer = site.answer(request, from, now);
    return {code_of(answer), client.handle_response(view(request), view(answer))};
}

TEST_CASE("stun long-term: challenge, retry, success; later requests need no challenge") {
    const Site site{LongTermServer{config()}};
    LongTermClient client{{"george", "secret"}};
    Exchange step = exchange(client, site);
    CHECK(step.code == 401);
    CHECK(step.outcome == Outcome::Retry);
    REQUIRE(client.realm());
    CHECK(*client.realm() == "example.org");
    for (int i = 0; i < 3; ++i) {
        step = exchange(client, site);
        CHECK(step.code == 200);
        CHECK(step.outcome == Outcome::Accepted);
    }
}

TEST_CASE("stun long-term: the first request bears no credentials") {
    const LongTermClient client{{"george", "secret"}};
    const Bytes request = request_of(client);
    CHECK(request.size() == header_octets);
}

TEST_CASE("stun long-term: SHA-256 throughout where the server offers it") {
    const Site site{LongTermServer{config()}};
    LongTermClient client{{"george", "secret"}};
    exchange(client, site);
    const Bytes request = request_of(client);
    CHECK(view(request).get<PasswordAlgorithmAttribute>()->algorithm == PasswordAlgorithm::Sha256);
    CHECK(*view(request).get<PasswordAlgorithms>() == both_algorithms());
    CHECK(view(request).has_integrity(IntegrityKind::Sha256));
    CHECK_FALSE(view(request).has_integrity(IntegrityKind::Sha1));
    const Bytes answer = site.answer(request, here(), noon);
    CHECK(view(answer).has_integrity(IntegrityKind::Sha256));
    CHECK_FALSE(view(answer).has_integrity(IntegrityKind::Sha1));
}

TEST_CASE("stun long-term: as RFC 5389 with a server that offers no algorithms") {
    const Site site{LongTermServer{config({})}};
    LongTermClient client{{"george", "secret"}};
    CHECK(exchange(client, site).outcome == Outcome::Retry);
    const Bytes request = request_of(client);
    CHECK(view(request).has_integrity(IntegrityKind::Sha1));
    CHECK_FALSE(view(request).has_integrity(IntegrityKind::Sha256));
    CHECK_FALSE(view(request).has(AttributeType::PasswordAlgorithm));
    CHECK(exchange(client, site).outcome == Outcome::Accepted);
}

TEST_CASE("stun long-term: an RFC 5389 client, which knows no algorithms, is served with SHA-1") {
    const Site site{LongTermServer{config()}};
    const std::string nonce = site.server.make_nonce(here(), noon);
    MessageBuilder builder{Class::Request, Method::Allocate, id_of(1)};
    builder.add(Username{"george"}).add(Realm{"example.org"}).add(Nonce{nonce});
    builder.add_integrity(IntegrityKey::long_term("george", "example.org", "secret"),
                          IntegrityKind::Sha1);
    const Bytes answer = site.answer(builder.finish(), here(), noon);
    CHECK(code_of(answer) == 200);
    CHECK(view(answer).has_integrity(IntegrityKind::Sha1));
    CHECK_FALSE(view(answer).has_integrity(IntegrityKind::Sha256));
}

TEST_CASE("stun long-term: the user name stays hidden where the server can do without") {
    LongTermServer::Config anonymous = config();
    anonymous.anonymity = LongTermServer::Anonymity::Offered;
    const Site site{LongTermServer{anonymous}};
    LongTermClient client{{"george", "secret"}};
    CHECK(exchange(client, site).outcome == Outcome::Retry);
    const Bytes request = request_of(client);
    CHECK_FALSE(view(request).has(AttributeType::Username));
    CHECK(view(request).has(AttributeType::UserHash));
    CHECK(exchange(client, site).outcome == Outcome::Accepted);
}

TEST_CASE("stun long-term client: does not try the same wrong password twice") {
    const Site site{LongTermServer{config()}};
    LongTermClient client{{"george", "wrong"}};
    CHECK(exchange(client, site).outcome == Outcome::Retry);
    const Exchange step = exchange(client, site);
    CHECK(step.code == 401);
    CHECK(step.outcome == Outcome::Refused);
}

TEST_CASE("stun long-term client: follows an expired nonce and goes on") {
    const Site site{LongTermServer{config()}};
    LongTermClient client{{"george", "secret"}};
    exchange(client, site);
    CHECK(exchange(client, site, noon).code == 200);
    const WallTime later = noon + std::chrono::seconds{3600};
    Exchange step = exchange(client, site, later);
    CHECK(step.code == 438);
    CHECK(step.outcome == Outcome::Retry);
    step = exchange(client, site, later);
    CHECK(step.code == 200);
    CHECK(step.outcome == Outcome::Accepted);
}

TEST_CASE("stun long-term client: gives up on a server that never accepts its own nonces") {
    LongTermClient client{{"george", "secret"}};
    unsigned retries = 0;
    for (unsigned i = 0; i < 20; ++i) {
        const Bytes request = request_of(client);
        MessageBuilder builder = MessageBuilder::reply(view(request), Class::ErrorResponse);
        const std::string nonce = "nonce" + std::to_string(i);
        builder.add(error::stale_nonce).add(Realm{"r"}).add(Nonce{nonce});
        const Bytes answer = builder.finish();
        if (client.handle_response(view(request), view(answer)) == Outcome::Refused) break;
        ++retries;
    }
    CHECK(retries == 1 + most_challenges_in_a_row);
}

TEST_CASE("stun long-term client: the nonce it has been refused is not tried again") {
    LongTermClient client{{"george", "secret"}};
    for (const Outcome expected : {Outcome::Retry, Outcome::Refused}) {
        const Bytes request = request_of(client);
        MessageBuilder builder = MessageBuilder::reply(view(request), Class::ErrorResponse);
        builder.add(error::stale_nonce).add(Realm{"r"}).add(Nonce{"same"});
        const Bytes answer = builder.finish();
        CHECK(client.handle_response(view(request), view(answer)) == expected);
    }
}

TEST_CASE("stun long-term client: requests sent together may all be told of the stale nonce") {
    const Site site{LongTermServer{config()}};
    LongTermClient client{{"george", "secret"}};
    exchange(client, site);
    std::vector<Bytes> requests;
    for (std::uint8_t i = 0; i < 10; ++i) requests.push_back(request_of(client, i));
    const WallTime later = noon + std::chrono::hours{2};
    for (const Bytes& request : requests) {
        const Bytes answer = site.answer(request, here(), later);
        CHECK(code_of(answer) == 438);
        CHECK(client.handle_response(view(request), view(answer)) == Outcome::Retry);
    }
    CHECK(exchange(client, site, later).outcome == Outcome::Accepted);
}

Bytes challenge(const Bytes& request, std::string_view nonce, Class message_class,
                std::optional<ErrorCode> error = error::unauthenticated) {
    MessageBuilder builder = MessageBuilder::reply(view(request), message_class);
    if (error) builder.add(*error);
    return builder.add(Realm{"example.org"}).add(Nonce{nonce}).finish();
}

TEST_CASE("stun long-term client: a challenge whose algorithms were taken out is refused") {
    LongTermClient client{{"george", "secret"}};
    const std::string cookie = nonce_cookie({SecurityFeatures::password_algorithms});
    const Bytes request = request_of(client);
    const Bytes weakened = challenge(request, cookie + "xyz", Class::ErrorResponse);
    CHECK(client.handle_response(view(request), view(weakened)) == Outcome::Refused);
    CHECK(client.realm() == nullptr);
    // In any other response it makes the response nothing.
    const Bytes success = challenge(request, cookie, Class::SuccessResponse, std::nullopt);
    CHECK(client.handle_response(view(request), view(success)) == Outcome::Discarded);
}

TEST_CASE("stun long-term client: algorithms it does not know are refused, the first known taken") {
    for (const bool knows_one : {false, true}) {
        CAPTURE(knows_one);
        LongTermClient client{{"george", "secret"}};
        const Bytes request = request_of(client);
        PasswordAlgorithms algorithms;
        algorithms.add(PasswordAlgorithm{99});
        if (knows_one) algorithms.add(PasswordAlgorithm::Md5);
        MessageBuilder builder = MessageBuilder::reply(view(request), Class::ErrorResponse);
        builder.add(error::unauthenticated).add(Realm{"r"}).add(Nonce{"n"}).add(algorithms);
        const Bytes answer = builder.finish();
        CHECK(client.handle_response(view(request), view(answer)) ==
              (knows_one ? Outcome::Retry : Outcome::Refused));
        if (!knows_one) continue;
        const Bytes retry = request_of(client);
        CHECK(view(retry).get<PasswordAlgorithmAttribute>()->algorithm == PasswordAlgorithm::Md5);
        CHECK(view(retry).has_integrity(IntegrityKind::Sha256));
    }
}

TEST_CASE("stun long-term client: a challenge without realm or nonce is refused") {
    LongTermClient client{{"george", "secret"}};
    const Bytes request = request_of(client);
    MessageBuilder no_realm = MessageBuilder::reply(view(request), Class::ErrorResponse);
    const Bytes first = no_realm.add(error::unauthenticated).add(Nonce{"n"}).finish();
    CHECK(client.handle_response(view(request), view(first)) == Outcome::Refused);
    MessageBuilder no_nonce = MessageBuilder::reply(view(request), Class::ErrorResponse);
    const Bytes second = no_nonce.add(error::unauthenticated).add(Realm{"r"}).finish();
    CHECK(client.handle_response(view(request), view(second)) == Outcome::Refused);
}

TEST_CASE("stun long-term client: a response without or with wrong integrity has never come") {
    const Site site{LongTermServer{config()}};
    LongTermClient client{{"george", "secret"}};
    exchange(client, site);
    const Bytes request = request_of(client);
    const Bytes bare = MessageBuilder::reply(view(request), Class::SuccessResponse).finish();
    CHECK(client.handle_response(view(request), view(bare)) == Outcome::Discarded);
    MessageBuilder forged = MessageBuilder::reply(view(request), Class::SuccessResponse);
    forged.add_integrity(IntegrityKey::short_term("guess"), IntegrityKind::Sha256);
    const Bytes wrong = forged.finish();
    CHECK(client.handle_response(view(request), view(wrong)) == Outcome::Discarded);
    MessageBuilder bad = MessageBuilder::reply(view(request), Class::ErrorResponse);
    const Bytes bad_request = bad.add(error::bad_request).finish();
    CHECK(client.handle_response(view(request), view(bad_request)) == Outcome::Discarded);
}

TEST_CASE("stun long-term server: refusals in the order of RFC 8489 Section 9.2.4") {
    const Site site{LongTermServer{config()}};
    const std::string nonce = site.server.make_nonce(here(), noon);
    const auto key =
        IntegrityKey::long_term("george", "example.org", "secret", PasswordAlgorithm::Sha256);
    struct Row {
        const char* what;
        std::string_view username, realm, used_nonce;
        bool lists, chooses, integrity;
        int code;
    };
    const std::string other = site.server.make_nonce(address("192.0.2.7:4001"), noon);
    const Row rows[] = {
        {"all there", "george", "example.org", nonce, true, true, true, 200},
        {"no integrity", "george", "example.org", nonce, true, true, false, 401},
        {"no username", "", "example.org", nonce, true, true, true, 400},
        {"no realm", "george", "", nonce, true, true, true, 400},
        {"no nonce", "george", "example.org", "", true, true, true, 400},
        {"only the list", "george", "example.org", nonce, true, false, true, 400},
        {"only the choice", "george", "example.org", nonce, false, true, true, 400},
        {"another user", "eve", "example.org", nonce, true, true, true, 401},
        {"another realm", "george", "example.com", nonce, true, true, true, 401},
        {"another client's nonce", "george", "example.org", other, true, true, true, 438},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        MessageBuilder builder{Class::Request, Method::Allocate, id_of(1)};
        if (!row.username.empty()) builder.add(Username{row.username});
        if (!row.realm.empty()) builder.add(Realm{row.realm});
        if (!row.used_nonce.empty()) builder.add(Nonce{row.used_nonce});
        if (row.lists) builder.add(both_algorithms());
        if (row.chooses) builder.add(PasswordAlgorithmAttribute{PasswordAlgorithm::Sha256});
        if (row.integrity) builder.add_integrity(key, IntegrityKind::Sha256);
        const Bytes answer = site.answer(builder.finish(), here(), noon);
        CHECK(code_of(answer) == row.code);
        const bool challenges = row.code == 401 || row.code == 438;
        CHECK(view(answer).has(AttributeType::Realm) == challenges);
        CHECK(view(answer).has(AttributeType::Nonce) == challenges);
        CHECK(view(answer).has(AttributeType::PasswordAlgorithms) == challenges);
        CHECK_FALSE(view(answer).has(AttributeType::Username));
    }
}

TEST_CASE("stun long-term server: a list that is not its own, or a choice not on it, is bad") {
    const Site site{LongTermServer{config()}};
    const std::string nonce = site.server.make_nonce(here(), noon);
    for (const bool other_list : {true, false}) {
        PasswordAlgorithms list;
        if (other_list) {
            list.add(PasswordAlgorithm::Md5);
        } else {
            list = both_algorithms();
        }
        MessageBuilder builder{Class::Request, Method::Allocate, id_of(1)};
        builder.add(Username{"george"}).add(Realm{"example.org"}).add(Nonce{nonce}).add(list);
        builder.add(PasswordAlgorithmAttribute{other_list ? PasswordAlgorithm::Md5
                                                          : PasswordAlgorithm{99}});
        builder.add_integrity(IntegrityKey::long_term("george", "example.org", "secret"),
                              IntegrityKind::Sha256);
        CHECK(code_of(site.answer(builder.finish(), here(), noon)) == 400);
    }
}

TEST_CASE("stun nonces: valid for one address, one server and one lifetime") {
    using State = LongTermServer::NonceState;
    const LongTermServer server{config()};
    const std::string nonce = server.make_nonce(here(), noon);
    CHECK(nonce.size() < 128);
    const auto check = [&](std::string_view text, const SocketAddress& from, WallTime now) {
        return server.check_nonce(text, from, now);
    };
    CHECK(check(nonce, here(), noon) == State::Valid);
    CHECK(check(nonce, here(), noon + std::chrono::seconds{3599}) == State::Valid);
    CHECK(check(nonce, here(), noon + std::chrono::seconds{3600}) == State::Stale);
    CHECK(check(nonce, here(), noon - std::chrono::seconds{1}) == State::Stale);
    CHECK(check(nonce, address("192.0.2.7:4001"), noon) == State::Stale);
    CHECK(check(nonce, address("192.0.2.8:4000"), noon) == State::Stale);
    CHECK(check(nonce, address("[::ffff:192.0.2.7]:4000"), noon) == State::Stale);
    CHECK(check("", here(), noon) == State::Stale);
    CHECK(check(nonce + "A", here(), noon) == State::Stale);
    LongTermServer::Config other = config();
    other.nonce_key.fill(std::byte{8});
    CHECK(LongTermServer{other}.check_nonce(nonce, here(), noon) == State::Stale);
    CHECK(LongTermServer{config({})}.check_nonce(nonce, here(), noon) == State::Stale);
    for (std::size_t i = 0; i < nonce.size(); ++i) {
        CAPTURE(i);
        std::string changed = nonce;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        CHECK(check(changed, here(), noon) == State::Stale);
    }
}

TEST_CASE("stun nonce cookie: the strings of RFC 8489 and RFC 8656") {
    CHECK(nonce_cookie({}) == "obMatJos2AAAA");
    CHECK(nonce_cookie({SecurityFeatures::password_algorithms}) == "obMatJos2gAAA");
    CHECK(nonce_cookie({SecurityFeatures::username_anonymity}) == "obMatJos2QAAA");
    CHECK(parse_nonce_cookie("obMatJos2gAAAadl7W7PeDU4hKE72jda") ==
          SecurityFeatures{SecurityFeatures::password_algorithms});
    CHECK_FALSE(parse_nonce_cookie("f//499k954d6OL34oL9FSTvy64sA"));
    CHECK_FALSE(parse_nonce_cookie("obMatJos2"));
    CHECK_FALSE(parse_nonce_cookie("obMatJos2A!AA"));
    CHECK_FALSE(parse_nonce_cookie(""));
}

}  // namespace
}  // namespace stile::stun
