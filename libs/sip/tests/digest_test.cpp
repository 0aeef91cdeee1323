// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/digest_client.hpp>
#include <stile/sip/limits.hpp>
#include <stile/sip/nonce.hpp>

#include <string>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;

crypto::RandomStream random_stream(std::uint64_t seed = 1) {
    return crypto::RandomStream{crypto::seed_from_number(seed)};
}

Message response(Status status, std::initializer_list<std::pair<HeaderName, std::string>> fields) {
    MessageBuilder builder = MessageBuilder::response(status);
    for (const auto& [name, value] : fields) builder.add(name, value);
    return builder.build();
}

std::string challenge_text(AuthAlgorithm algorithm, std::string_view nonce,
                           Staleness staleness = Staleness::Fresh,
                           std::string_view realm = "example.org") {
    return Challenge{.realm = std::string{realm},
                     .nonce = std::string{nonce},
                     .opaque = "o",
                     .algorithm = algorithm,
                     .qops = {Qop::Auth},
                     .staleness = staleness}
        .to_string();
}

DigestClient client(Md5Policy md5 = Md5Policy::Allow) {
    return DigestClient{
        {.username = "bob", .realm = "example.org", .password = "zanzibar"}, random_stream(), md5};
}

TEST_CASE("digest: the examples of RFC 7616 Section 3.9.1") {
    for (const auto& [algorithm, expected] :
         {std::pair{AuthAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"},
          std::pair{AuthAlgorithm::Sha256,
                    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"}}) {
        const AuthSecret secret = AuthSecret::from_password(
            algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        CHECK(digest_response({
                  .algorithm = algorithm,
                  .ha1 = secret.ha1,
                  .method = "GET",
                  .uri = "/dir/index.html",
                  .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                  .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                  .nonce_count = 1,
                  .qop = Qop::Auth,
              }) == expected);
    }
}

TEST_CASE("digest: RFC 7616 Section 3.9.2 with true SHA-512/256") {
    // The RFC prints ae66e67d...: a truncated SHA-512, which is another function (erratum 4897).
    const AuthSecret secret = AuthSecret::from_password(
        AuthAlgorithm::Sha512_256, "J\xC3\xA4s\xC3\xB8n Doe", "api@example.org", "Secret, or not?");
    CHECK(digest_response({
              .algorithm = AuthAlgorithm::Sha512_256,
              .ha1 = secret.ha1,
              .method = "GET",
              .uri = "/doe.json",
              .nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
              .cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
              .nonce_count = 1,
              .qop = Qop::Auth,
          }) == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

TEST_CASE("digest: every algorithm with every qop, against an independent implementation") {
    struct Row {
        AuthAlgorithm algorithm;
        std::optional<Qop> qop;
        std::string_view expected;
    };
    using enum AuthAlgorithm;
    for (const Row& row : std::initializer_list<Row>{
             {Md5, {}, "bf57e4e0d0bffc0fbaedce64d59add5e"},
             {Md5Sess, {}, "fff17611bcbbf00c9116a2c922dea8e1"},
             {Md5, Qop::Auth, "89eb0059246c02b2f6ee02c7961d5ea3"},
             {Md5Sess, Qop::Auth, "e4e4ea61d186d07a92c9e1f6919902e9"},
             {Md5, Qop::AuthInt, "77226bb823dc077c1ad3537415667bae"},
             {Md5Sess, Qop::AuthInt, "8527c9ab1b4eed3fd75491f811944e26"},
             {Sha256, Qop::Auth,
              "b3b5a6c69453abafaab9ae4dccdac90a076b6c80615d5f3498e7433b6e93bf4f"},
             {Sha256Sess, Qop::Auth,
              "5da59c9ca40954be9d5063a15a174066c8251be2c10cf47c144c366dc7daf792"},
             {Sha256, Qop::AuthInt,
              "554a9ffe79ce71c3cb6c9630deddd2787d8033f895e5cdef6a73c8e84ed4c979"},
             {Sha512_256, Qop::Auth,
              "7f1a09de0f19af0a1eac2b28d33e3f2fb89cca1ad8fb01bba5e1883b288bac14"},
             {Sha512_256Sess, Qop::Auth,
              "077d9677be83f41f162d1a4453dc163389919f81e5927391d972f477da767633"},
             {Sha512_256, Qop::AuthInt,
              "e9a7fbc1c80a10421c59a0c982f28d40e0ddc7b62ef3dc4faf68f179c6e05922"},
         }) {
        CAPTURE(row.expected);
        const AuthSecret secret =
            AuthSecret::from_password(row.algorithm, "bob", "biloxi.com", "zanzibar");
        const std::string made = digest_response({
            .algorithm = row.algorithm,
            .ha1 = secret.ha1,
            .method = "INVITE",
            .uri = "sip:bob@biloxi.com",
            .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            .cnonce = "0a4f113b",
            .nonce_count = 1,
            .qop = row.qop,
            .body = as_bytes("v=0\r\n"),
        });
        CHECK(made == row.expected);
        Credentials credentials{.username = "bob",
                                .realm = "biloxi.com",
                                .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                                .uri = "sip:bob@biloxi.com",
                                .response = made,
                                .algorithm = row.algorithm,
                                .qop = row.qop,
                                .cnonce = "0a4f113b",
                                .nonce_count = row.qop ? 1U : 0U};
        const auto again = Credentials::parse(credentials.to_string());
        REQUIRE(again);
        CHECK(*again == credentials);
        const auto passes = [&](std::string_view method, std::string_view body) {
            return verify(*again, {.secret = secret, .method = method, .body = as_bytes(body)});
        };
        CHECK(passes("INVITE", "v=0\r\n"));
        CHECK_FALSE(passes("BYE", "v=0\r\n"));
        CHECK(passes("INVITE", "v=1\r\n") == (row.qop != Qop::AuthInt));
        credentials.uri = "sip:eve@biloxi.com";
        CHECK_FALSE(verify(credentials, {.secret = secret, .method = "INVITE", .body = {}}));
        // A secret of another hash proves nothing.
        const AuthSecret wrong{.algorithm = row.algorithm == Md5 ? Sha256 : Md5, .ha1 = secret.ha1};
        if (base_algorithm(row.algorithm) != wrong.algorithm) {
            CHECK_FALSE(verify(*again, {.secret = wrong, .method = "INVITE", .body = {}}));
        }
    }
}

TEST_CASE("digest: RFC 3261 Section 22.4's credentials and challenges are read") {
    const auto challenge = Challenge::parse(
        "Digest realm=\"biloxi.com\", qop=\"auth, auth-int,other\","
        " nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc\", stale=TRUE");
    REQUIRE(challenge);
    CHECK(challenge->algorithm == AuthAlgorithm::Md5);
    CHECK(challenge->qops == std::vector{Qop::Auth, Qop::AuthInt});
    CHECK(challenge->staleness == Staleness::Stale);
    CHECK(Challenge::parse(challenge->to_string()) == *challenge);
    const auto credentials = Credentials::parse(
        "digest username=\"a \\\"b\\\"\",realm=\"biloxi.com\", nonce=\"n\", uri=\"sip:b@c,d\", "
        "qop=auth, nc=0000000A, cnonce=\"0a4f113b\", response=\"66\", opaque=\"5\"");
    REQUIRE(credentials);
    CHECK(credentials->username == "a \"b\"");
    CHECK(credentials->uri == "sip:b@c,d");
    CHECK(credentials->nonce_count == 10);
}

TEST_CASE("digest: challenges and credentials that are not understood are errors") {
    for (const std::string_view bad :
         {"", "Digest", "Basic realm=\"a\"", "Digest realm=\"a\"", "Digest nonce=\"a\"",
          "Digest realm=\"a\", nonce=\"b\", algorithm=SHA-3", "Digest realm=\"a, nonce=\"b\"",
          "Digest realm=\"a\", nonce=\"b\", qop=\"strange\"",
          "Digest realm=\"a\", realm=\"a\", nonce=\"b\"", "Digest realm=\"a\" nonce=\"b\"",
          "Digest =a, nonce=\"b\"", "Digestrealm=\"a\",nonce=\"b\""}) {
        CAPTURE(bad);
        CHECK_FALSE(Challenge::parse(bad));
    }
    const std::string good =
        "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"0\"";
    CHECK(Credentials::parse(good));
    for (const std::string_view more :
         {", qop=auth", ", qop=auth, nc=1", ", qop=auth, nc=x, cnonce=\"c\"",
          ", qop=auth, nc=123456789, cnonce=\"c\"", ", qop=other, nc=1, cnonce=\"c\"",
          ", algorithm=none", ", uri=\"sip:b\""}) {
        CAPTURE(more);
        CHECK_FALSE(Credentials::parse(good + std::string{more}));
    }
    CHECK(Credentials::parse(good + ", qop=auth, nc=00000001, cnonce=\"c\""));
}

TEST_CASE("digest client: the strongest challenge that it understands") {
    DigestClient bob = client();
    CHECK(bob.authorize("REGISTER", "sip:example.org", {}).empty());
    const Message asked =
        response(status::Unauthorized,
                 {{HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Md5, "m")},
                  {HeaderName::WwwAuthenticate, "Bearer authz_server=\"https://x\""},
                  {HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Sha512_256, "s")},
                  {HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Sha256, "t")}});
    CHECK(bob.handle_challenge(asked) == DigestClient::Outcome::Retry);
    for (std::uint32_t count = 1; count <= 3; ++count) {
        const auto answers = bob.authorize("REGISTER", "sip:example.org", {});
        REQUIRE(answers.size() == 1);
        CHECK(answers[0].name == HeaderName::Authorization);
        const auto credentials = Credentials::parse(answers[0].value);
        REQUIRE(credentials);
        CHECK(credentials->algorithm == AuthAlgorithm::Sha512_256);
        CHECK(credentials->nonce == "s");
        CHECK(credentials->opaque == "o");
        CHECK(credentials->nonce_count == count);
        const AuthSecret secret =
            AuthSecret::from_password(AuthAlgorithm::Sha512_256, "bob", "example.org", "zanzibar");
        CHECK(verify(*credentials, {.secret = secret, .method = "REGISTER", .body = {}}));
    }
}

TEST_CASE("digest: as many challenges and credentials as the limit are looked at") {
    for (const std::size_t others : {most_challenges - 1, most_challenges}) {
        MessageBuilder asked = MessageBuilder::response(status::Unauthorized);
        MessageBuilder request = MessageBuilder::request("REGISTER", "sip:example.org");
        for (std::size_t i = 0; i < others; ++i) {
            asked.add(HeaderName::WwwAuthenticate, "Other realm=\"x\"");
            request.add(HeaderName::Authorization, "Other realm=\"x\"");
        }
        asked.add(HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Sha256, "n"));
        request.add(
            HeaderName::Authorization,
            "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"0\"");
        const bool seen = others < most_challenges;
        CHECK(challenges(asked.build(), HeaderName::WwwAuthenticate).size() == (seen ? 1U : 0U));
        CHECK(credentials_for(request.build(), HeaderName::Authorization, "r").has_value() == seen);
    }
}

TEST_CASE("digest client: another realm's challenge is not answered") {
    DigestClient bob = client();
    for (const std::string_view realm : {"evil.example", "Example.org", "example.org "}) {
        CHECK(bob.handle_challenge(response(
                  status::Unauthorized,
                  {{HeaderName::WwwAuthenticate,
                    challenge_text(AuthAlgorithm::Sha256, "n", Staleness::Fresh, realm)}})) ==
              DigestClient::Outcome::NoChallenge);
    }
    CHECK(bob.authorize("INVITE", "sip:x", {}).empty());
}

TEST_CASE("digest client: MD5 is refused where the policy says so") {
    DigestClient strict = client(Md5Policy::Refuse);
    const auto md5 =
        response(status::Unauthorized,
                 {{HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Md5, "n")}});
    CHECK(strict.handle_challenge(md5) == DigestClient::Outcome::NoChallenge);
}

TEST_CASE("digest client: a second challenge means a wrong password, unless it is stale") {
    const auto asked = [](Staleness staleness, std::string_view nonce) {
        return response(status::Unauthorized,
                        {{HeaderName::WwwAuthenticate,
                          challenge_text(AuthAlgorithm::Sha256, nonce, staleness)}});
    };
    DigestClient bob = client();
    CHECK(bob.handle_challenge(asked(Staleness::Fresh, "1")) == DigestClient::Outcome::Retry);
    CHECK(bob.handle_challenge(asked(Staleness::Stale, "2")) == DigestClient::Outcome::Retry);
    CHECK(Credentials::parse(bob.authorize("A", "sip:x", {})[0].value)->nonce == "2");
    CHECK(bob.handle_challenge(asked(Staleness::Fresh, "3")) == DigestClient::Outcome::Refused);
    CHECK(bob.authorize("A", "sip:x", {}).empty());

    DigestClient patient = client();
    CHECK(patient.handle_challenge(asked(Staleness::Fresh, "1")) == DigestClient::Outcome::Retry);
    patient.handle_success(response(status::Ok, {}));
    // The server has forgotten the nonce: one more try.
    CHECK(patient.handle_challenge(asked(Staleness::Fresh, "2")) == DigestClient::Outcome::Retry);
    for (int i = 0; i < 3; ++i) {
        CHECK(patient.handle_challenge(asked(Staleness::Stale, "3")) ==
              DigestClient::Outcome::Retry);
    }
    // Not for ever.
    CHECK(patient.handle_challenge(asked(Staleness::Stale, "4")) == DigestClient::Outcome::Refused);
}

TEST_CASE("digest client: a proxy and a server at once") {
    DigestClient bob = client();
    bob.handle_challenge(
        response(status::ProxyAuthenticationRequired,
                 {{HeaderName::ProxyAuthenticate, challenge_text(AuthAlgorithm::Sha256, "p")}}));
    bob.handle_challenge(
        response(status::Unauthorized,
                 {{HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Md5, "s")}}));
    const auto answers = bob.authorize("INVITE", "sip:x", {});
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].name == HeaderName::ProxyAuthorization);
    CHECK(answers[1].name == HeaderName::Authorization);
}

TEST_CASE("digest client: a challenge without qop is answered in the form of its age") {
    DigestClient bob = client();
    const auto asked = [](std::string_view more) {
        return response(status::Unauthorized,
                        {{HeaderName::WwwAuthenticate,
                          "Digest realm=\"example.org\", nonce=\"n\"" + std::string{more}}});
    };
    bob.handle_challenge(asked(""));
    CHECK_FALSE(Credentials::parse(bob.authorize("A", "sip:x", {})[0].value)->qop);
    bob.handle_success(response(status::Ok, {}));
    bob.handle_challenge(asked(", algorithm=SHA-256"));
    CHECK(Credentials::parse(bob.authorize("A", "sip:x", {})[0].value)->qop == Qop::Auth);
    bob.handle_success(response(status::Ok, {}));
    bob.handle_challenge(asked(", qop=\"auth-int\""));
    CHECK(Credentials::parse(bob.authorize("A", "sip:x", {})[0].value)->qop == Qop::AuthInt);
}

TEST_CASE("digest client: the next nonce is taken from who proves to know the password") {
    DigestClient bob = client();
    bob.handle_challenge(
        response(status::Unauthorized,
                 {{HeaderName::WwwAuthenticate, challenge_text(AuthAlgorithm::Sha256, "n")}}));
    const auto sent = *Credentials::parse(bob.authorize("A", "sip:x", {})[0].value);
    AuthenticationInfo info{.next_nonce = "next",
                            .response_auth = "0000",
                            .qop = Qop::Auth,
                            .cnonce = sent.cnonce,
                            .nonce_count = 1};
    bob.handle_success(response(status::Ok, {{HeaderName::AuthenticationInfo, info.to_string()}}));
    CHECK(Credentials::parse(bob.authorize("A", "sip:x", {})[0].value)->nonce == "n");
    const AuthSecret secret =
        AuthSecret::from_password(AuthAlgorithm::Sha256, "bob", "example.org", "zanzibar");
    info.response_auth = digest_rspauth({.algorithm = AuthAlgorithm::Sha256,
                                         .ha1 = secret.ha1,
                                         .method = {},
                                         .uri = "sip:x",
                                         .nonce = "n",
                                         .cnonce = sent.cnonce,
                                         .nonce_count = 1,
                                         .qop = Qop::Auth});
    bob.handle_success(response(status::Ok, {{HeaderName::AuthenticationInfo, info.to_string()}}));
    const auto next = *Credentials::parse(bob.authorize("A", "sip:x", {})[0].value);
    CHECK(next.nonce == "next");
    CHECK(next.nonce_count == 1);
}

TEST_CASE("nonce: fresh for its life, then stale, and forged in any other hand") {
    const Bytes key(32, std::byte{7});
    const NonceIssuer issuer{key, 60s};
    auto random = random_stream();
    const WallTime now{1'700'000'000s};
    const std::string nonce = issuer.issue(now, "example.org", "flow 1", random);
    CHECK(nonce != issuer.issue(now, "example.org", "flow 1", random));
    const auto verdict = [&](std::string_view text, WallTime when, std::string_view realm,
                             std::string_view binding) {
        return issuer.check(text, when, realm, binding);
    };
    CHECK(verdict(nonce, now, "example.org", "flow 1") == NonceVerdict::Fresh);
    CHECK(verdict(nonce, now + 59s, "example.org", "flow 1") == NonceVerdict::Fresh);
    CHECK(verdict(nonce, now + 60s, "example.org", "flow 1") == NonceVerdict::Stale);
    CHECK(verdict(nonce, now - 59s, "example.org", "flow 1") == NonceVerdict::Fresh);
    CHECK(verdict(nonce, now - 60s, "example.org", "flow 1") == NonceVerdict::Stale);
    CHECK(verdict(nonce, now, "example.net", "flow 1") == NonceVerdict::Forged);
    CHECK(verdict(nonce, now, "example.org", "flow 2") == NonceVerdict::Forged);
    CHECK(verdict(nonce, now, "example.or", "gflow 1") == NonceVerdict::Forged);
    CHECK(verdict("", now, "example.org", "flow 1") == NonceVerdict::Forged);
    CHECK(verdict("dcd98b7102dd2f0e8b11d0f600bfb0c093", now, "example.org", "flow 1") ==
          NonceVerdict::Forged);
    for (std::size_t i = 0; i < nonce.size(); ++i) {
        std::string other = nonce;
        other[i] = other[i] == 'A' ? 'B' : 'A';
        CHECK(verdict(other, now, "example.org", "flow 1") == NonceVerdict::Forged);
    }
    const NonceIssuer stranger{Bytes(32, std::byte{8}), 60s};
    CHECK(stranger.check(nonce, now, "example.org", "flow 1") == NonceVerdict::Forged);
}

}  // namespace
}  // namespace stile::sip
