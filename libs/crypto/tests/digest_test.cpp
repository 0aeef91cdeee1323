// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/encoding.hpp>
#include <stile/crypto/crc32.hpp>
#include <stile/crypto/hmac.hpp>
#include <stile/crypto/random_stream.hpp>

namespace stile::crypto {
namespace {

TEST_CASE("digest: published values of \"abc\"") {
    const BytesView abc = as_bytes("abc");
    CHECK(digest(DigestAlgorithm::Md5, abc).to_hex() == "900150983cd24fb0d6963f7d28e17f72");
    CHECK(digest(DigestAlgorithm::Sha1, abc).to_hex() ==
          "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(digest(DigestAlgorithm::Sha256, abc).to_hex() ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest(DigestAlgorithm::Sha512_256, abc).to_hex() ==
          "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

TEST_CASE("hasher: parts and a second use give what one call gives") {
    Hasher hasher{DigestAlgorithm::Sha256};
    for (int round = 0; round < 2; ++round) {
        hasher.update(as_bytes("a"));
        hasher.update(as_bytes("bc"));
        CHECK(hasher.finish() == digest(DigestAlgorithm::Sha256, as_bytes("abc")));
    }
}

TEST_CASE("hmac: RFC 2202 test 2 and RFC 4231 test 2") {
    const BytesView data = as_bytes("what do ya want for nothing?");
    CHECK(Hmac{DigestAlgorithm::Sha1, as_bytes("Jefe")}.tag(data).to_hex() ==
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    const Hmac sha256{DigestAlgorithm::Sha256, as_bytes("Jefe")};
    const Hmac copy = sha256;
    for (const Hmac* hmac : {&sha256, &copy, &sha256}) {
        CHECK(hmac->tag({data.first(5), data.subspan(5)}).to_hex() ==
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

TEST_CASE("hmac: an empty key is a key") {
    CHECK(Hmac{DigestAlgorithm::Sha1, {}}.tag(BytesView{}).to_hex() ==
          "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

TEST_CASE("crc32: the check value, whole and over every length") {
    CHECK(crc32(as_bytes("123456789")) == 0xCBF43926);
    CHECK(crc32({}) == 0);
}

TEST_CASE("random stream: the same seed gives the same octets, another seed others") {
    RandomStream first{seed_from_number(1)};
    RandomStream second{seed_from_number(1)};
    RandomStream other{seed_from_number(2)};
    const Bytes octets = first.bytes(1000);
    Bytes parts = second.bytes(1);
    const Bytes rest = second.bytes(999);
    parts.insert(parts.end(), rest.begin(), rest.end());
    CHECK(octets == parts);
    CHECK(octets != other.bytes(1000));
    CHECK(first.fork().bytes(32) != first.bytes(32));
}

TEST_CASE("random stream: below() stays below") {
    RandomStream random{seed_from_number(7)};
    for (int i = 0; i < 1000; ++i) CHECK(random.below(3) < 3);
    CHECK(random.below(1) == 0);
}

}  // namespace
}  // namespace stile::crypto
