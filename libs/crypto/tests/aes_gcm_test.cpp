// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/encoding.hpp>
#include <stile/crypto/aes_gcm.hpp>

namespace stile::crypto {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

AesGcm::Nonce nonce(std::string_view text) {
    AesGcm::Nonce made{};
    const Bytes octets = hex(text);
    std::copy(octets.begin(), octets.end(), made.begin());
    return made;
}

TEST_CASE("AES-GCM: the test cases of McGrew and Viega") {
    struct Case {
        const char* key;
        const char* nonce;
        const char* associated;
        const char* plain;
        const char* sealed;
    };
    const Case cases[] = {
        {"00000000000000000000000000000000", "000000000000000000000000", "", "",
         "58e2fccefa7e3061367f1d57a4e7455a"},
        {"00000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000",
         "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
         "49a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
         "56828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
    };
    for (const Case& each : cases) {
        CAPTURE(each.sealed);
        const AesGcm key{hex(each.key)};
        const Bytes associated = hex(each.associated);
        const Bytes sealed = key.seal(nonce(each.nonce), associated, hex(each.plain));
        CHECK(to_hex(sealed) == each.sealed);
        CHECK(key.open(nonce(each.nonce), associated, sealed) == hex(each.plain));
    }
}

TEST_CASE("AES-GCM: whatever octet is changed, nothing opens") {
    const AesGcm key{hex("00112233445566778899aabbccddeeff")};
    const auto once = nonce("000102030405060708090a0b");
    const Bytes sealed = key.seal(once, as_bytes("a"), as_bytes("text"));
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes changed = sealed;
        changed[i] ^= std::byte{1};
        CHECK_FALSE(key.open(once, as_bytes("a"), changed));
    }
    CHECK_FALSE(key.open(once, as_bytes("b"), sealed));
    CHECK_FALSE(key.open(nonce("000102030405060708090a0c"), as_bytes("a"), sealed));
    CHECK_FALSE(key.open(once, as_bytes("a"), BytesView{sealed}.first(15)));
    CHECK(key.open(once, as_bytes("a"), sealed) == to_bytes("text"));
}

}  // namespace
}  // namespace stile::crypto
