// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/encoding.hpp>
#include <stile/crypto/limits.hpp>
#include <stile/crypto/p256.hpp>
#include <stile/crypto/random_stream.hpp>

namespace stile::crypto {
namespace {

// RFC 6979 Appendix A.2.5.
constexpr std::string_view rfc6979_x =
    "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
constexpr std::string_view rfc6979_point =
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
constexpr std::string_view order =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

Bytes hex(std::string_view text) { return from_hex(text).value(); }

PrivateKey key_of(std::uint64_t seed) {
    return PrivateKey::from_entropy(RandomStream{seed_from_number(seed)}.array<48>());
}

TEST_CASE("p256: the deterministic signatures of RFC 6979 A.2.5") {
    const auto key = PrivateKey::from_scalar(hex(rfc6979_x)).value();
    CHECK(equal(key.public_key().point(), hex(rfc6979_point)));
    CHECK(to_hex(key.sign(as_bytes("sample"))) ==
          "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
          "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    CHECK(to_hex(key.sign(as_bytes("test"))) ==
          "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
          "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
}

TEST_CASE("p256: the ES256 example of RFC 7515 A.3 verifies") {
    Bytes point{std::byte{4}};
    for (const auto* part : {"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                             "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}) {
        const Bytes octets = from_base64url(part).value();
        point.insert(point.end(), octets.begin(), octets.end());
    }
    const auto key = PublicKey::from_point(point).value();
    const Bytes octets = from_base64url(
                             "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djx"
                             "La8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
                             .value();
    Es256Signature signature{};
    REQUIRE(octets.size() == signature.size());
    std::copy(octets.begin(), octets.end(), signature.begin());
    const auto message = as_bytes(
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ");
    CHECK(key.verify(message, signature) == SignatureCheck::Good);
    signature[5] ^= std::byte{1};
    CHECK(key.verify(message, signature) == SignatureCheck::Bad);
}

TEST_CASE("p256: what one key signs its public key verifies, and nothing else") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        const PrivateKey key = key_of(seed);
        const auto message = as_bytes("a message");
        const auto signature = key.sign(message);
        CHECK(key.sign(message) == signature);
        CHECK(key.public_key().verify(message, signature) == SignatureCheck::Good);
        CHECK(key.public_key().verify(as_bytes("another"), signature) == SignatureCheck::Bad);
        CHECK(key_of(seed + 100).public_key().verify(message, signature) == SignatureCheck::Bad);
    }
}

TEST_CASE("p256: signatures of zeros and of numbers above the order are bad, not an error") {
    const PrivateKey key = key_of(1);
    Es256Signature signature{};
    CHECK(key.public_key().verify(as_bytes("x"), signature) == SignatureCheck::Bad);
    signature.fill(std::byte{0xFF});
    CHECK(key.public_key().verify(as_bytes("x"), signature) == SignatureCheck::Bad);
}

TEST_CASE("p256: the same entropy gives the same key, other entropy another") {
    CHECK(key_of(7).pkcs8_der() == key_of(7).pkcs8_der());
    CHECK_FALSE(key_of(7).public_key() == key_of(8).public_key());
}

TEST_CASE("p256: entropy at both ends of its range gives a usable key") {
    std::array<std::byte, PrivateKey::entropy_octets> entropy{};
    const PrivateKey least = PrivateKey::from_entropy(entropy);
    CHECK(least.public_key() ==
          PrivateKey::from_scalar(hex(std::string(63, '0') + "1"))->public_key());
    entropy.fill(std::byte{0xFF});
    const PrivateKey most = PrivateKey::from_entropy(entropy);
    CHECK(most.public_key().verify(as_bytes("x"), most.sign(as_bytes("x"))) ==
          SignatureCheck::Good);
}

TEST_CASE("p256: keys survive DER and PEM") {
    const PrivateKey key = key_of(3);
    const auto again = PrivateKey::from_der(key.pkcs8_der());
    REQUIRE(again);
    CHECK(again->public_key() == key.public_key());
    const auto text = PrivateKey::from_pem("a comment\n" + key.pkcs8_pem());
    REQUIRE(text);
    CHECK(text->pkcs8_der() == key.pkcs8_der());
    const auto shared = PublicKey::from_pem(key.public_key().pem());
    REQUIRE(shared);
    CHECK(*shared == key.public_key());
    CHECK(shared->thumbprint() == digest(DigestAlgorithm::Sha256, key.public_key().spki_der()));
}

TEST_CASE("p256: a key that openssl wrote in the older form is read") {
    const auto key = PrivateKey::from_pem(
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MHcCAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49\n"
        "AwEHoUQDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A/4QCLi8\n"
        "maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
        "-----END EC PRIVATE KEY-----\n");
    REQUIRE(key);
    CHECK(equal(key->public_key().point(), hex(rfc6979_point)));
}

TEST_CASE("p256: malformed keys and what each is called") {
    const PrivateKey key = key_of(3);
    Bytes spki = key.public_key().spki_der();
    CHECK(PublicKey::from_spki_der({}).error() == KeyError::Malformed);
    CHECK(PublicKey::from_spki_der(BytesView{spki}.first(90)).error() == KeyError::NotP256);
    CHECK(PublicKey::from_spki_der(Bytes(most_key_octets)).error() == KeyError::Malformed);
    CHECK(PublicKey::from_spki_der(Bytes(most_key_octets + 1)).error() == KeyError::TooLong);
    CHECK(PublicKey::from_pem(std::string(most_pem_octets + 1, 'a')).error() == KeyError::TooLong);
    spki.back() ^= std::byte{1};
    CHECK(PublicKey::from_spki_der(spki).error() == KeyError::InvalidPoint);
    CHECK(PublicKey::from_point(Bytes(65)).error() == KeyError::InvalidPoint);
    CHECK(PublicKey::from_point(hex("00")).error() == KeyError::InvalidPoint);

    CHECK(PrivateKey::from_scalar(Bytes(32)).error() == KeyError::InvalidPoint);
    CHECK(PrivateKey::from_scalar(hex(order)).error() == KeyError::InvalidPoint);
    CHECK(PrivateKey::from_scalar(Bytes(31)).error() == KeyError::Malformed);
    CHECK(PrivateKey::from_der(hex("3000")).error() == KeyError::Malformed);
    Bytes pkcs8 = key.pkcs8_der();
    pkcs8.push_back(std::byte{0});
    CHECK(PrivateKey::from_der(pkcs8).error() == KeyError::Malformed);
    CHECK(PrivateKey::from_der(Bytes(most_key_octets + 1)).error() == KeyError::TooLong);
    CHECK(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\n").error() == KeyError::Malformed);
    // An Ed25519 key, RFC 8410 Section 10.3.
    CHECK(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\n"
                               "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                               "-----END PRIVATE KEY-----")
              .error() == KeyError::NotP256);
}

}  // namespace
}  // namespace stile::crypto
