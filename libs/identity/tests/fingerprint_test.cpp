// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/identity/fingerprint.hpp>
#include <stile/identity/limits.hpp>

namespace stile::identity {
namespace {

crypto::Certificate certificate(std::uint64_t seed) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    return crypto::make_self_signed(crypto::PrivateKey::from_entropy(random.array<48>()),
                                    {.names = {.common_name = "x"}, .serial = random.array<16>()});
}

const std::string octets31 = [] {
    std::string text;
    for (int i = 0; i < 31; ++i) text += "0A:";
    return text;
}();

TEST_CASE("fingerprint: text and back") {
    const std::string text = "sha-256 " + octets31 + "FE";
    const auto parsed = Fingerprint::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->to_string() == text);
    CHECK(Fingerprint::parse("SHA-256 " + octets31 + "fe") == *parsed);
}

TEST_CASE("fingerprint: malformed text and what each is called") {
    const auto error = [](const std::string& text) { return Fingerprint::parse(text).error(); };
    CHECK(error("") == FingerprintError::Malformed);
    CHECK(error("sha-256") == FingerprintError::Malformed);
    CHECK(error("sha-256 ") == FingerprintError::Malformed);
    CHECK(error(" " + octets31 + "FE") == FingerprintError::Malformed);
    CHECK(error("sha-256  " + octets31 + "FE") == FingerprintError::Malformed);
    CHECK(error("sha-256 " + octets31) == FingerprintError::Malformed);
    CHECK(error("sha-256 " + octets31 + "F") == FingerprintError::Malformed);
    CHECK(error("sha-256 " + octets31 + "FG") == FingerprintError::Malformed);
    CHECK(error("sha-256 0A0A:0A") == FingerprintError::Malformed);
    CHECK(error("sha-256 0A-0B") == FingerprintError::Malformed);
    CHECK(error("sha-256 " + octets31 + "0A:0A") == FingerprintError::WrongLength);
    CHECK(error("sha-256 0A") == FingerprintError::WrongLength);
    CHECK(error("sha-1 0A:0B") == FingerprintError::UnknownHash);
    CHECK(error("md5 0A:0B") == FingerprintError::UnknownHash);
    CHECK(error("sha-256 " + std::string(most_fingerprint_text - 8, '0')) ==
          FingerprintError::Malformed);
    CHECK(error("sha-256 " + std::string(most_fingerprint_text - 7, '0')) ==
          FingerprintError::TooLong);
}

TEST_CASE("fingerprint: any of several may match, none may be missing altogether") {
    const auto met = certificate(1);
    const std::vector<Fingerprint> said{Fingerprint::of(certificate(2)), Fingerprint::of(met)};
    CHECK(check_fingerprint(said, met) == FingerprintCheck::Match);
    CHECK(check_fingerprint(said, certificate(3)) == FingerprintCheck::Mismatch);
    CHECK(check_fingerprint({}, met) == FingerprintCheck::Mismatch);
}

TEST_CASE("fingerprint: only so many are looked at") {
    const auto met = certificate(1);
    std::vector<Fingerprint> said(most_fingerprints - 1, Fingerprint::of(certificate(2)));
    said.push_back(Fingerprint::of(met));
    CHECK(check_fingerprint(said, met) == FingerprintCheck::Match);
    said.insert(said.begin(), said.front());
    CHECK(check_fingerprint(said, met) == FingerprintCheck::Mismatch);
}

}  // namespace
}  // namespace stile::identity
