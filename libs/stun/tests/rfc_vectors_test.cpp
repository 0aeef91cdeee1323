// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/integrity.hpp>
#include <stile/stun/long_term_server.hpp>

namespace stile::stun {
namespace {

using namespace test;

constexpr std::string_view password = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 Section 2.1.
const Bytes& sample_request() {
    static const Bytes wire =
        hex("00010058 2112a442 b7e7a701 bc34d686 fa87dfae"
            "80220010 5354554e 20746573 7420636c 69656e74"
            "00240004 6e0001ff"
            "80290008 932ff9b1 51263b36"
            "00060009 6576746a 3a683676 59202020"
            "00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2"
            "80280004 e57a3bcf");
    return wire;
}

TEST_CASE("stun RFC 5769 2.1: sample request") {
    const MessageView message = view(sample_request());
    CHECK(message.message_class() == Class::Request);
    CHECK(message.method() == Method::Binding);
    CHECK(to_hex(message.id().octets) == "b7e7a701bc34d686fa87dfae");
    CHECK(message.get<Software>()->text == "STUN test client");
    CHECK(message.get<Priority>()->value == 0x6e0001ff);
    CHECK(message.get<IceControlled>()->tie_breaker == 0x932ff9b151263b36);
    CHECK(message.get<Username>()->text == "evtj:h6vY");
    CHECK(check_integrity(message, IntegrityKey::short_term(password), IntegrityKind::Sha1) ==
          Integrity::Passed);
    CHECK(check_integrity(message, IntegrityKey::short_term("other"), IntegrityKind::Sha1) ==
          Integrity::Failed);
    CHECK(check_fingerprint(message) == Fingerprint::Correct);
}

struct ResponseVector {
    const char* name;
    const char* wire;
    const char* mapped;
};

TEST_CASE("stun RFC 5769 2.2 and 2.3: sample responses") {
    const ResponseVector vectors[] = {
        {"IPv4",
         "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae"
         "8022000b 74657374 20766563 746f7220"
         "00200008 0001a147 e112a643"
         "00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7"
         "80280004 c07d4c96",
         "192.0.2.1:32853"},
        {"IPv6",
         "01010048 2112a442 b7e7a701 bc34d686 fa87dfae"
         "8022000b 74657374 20766563 746f7220"
         "00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"
         "00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41"
         "80280004 c8fb0b4c",
         "[2001:db8:1234:5678:11:2233:4455:6677]:32853"},
    };
    for (const ResponseVector& vector : vectors) {
        CAPTURE(vector.name);
        const Bytes wire = hex(vector.wire);
        const MessageView message = view(wire);
        CHECK(message.message_class() == Class::SuccessResponse);
        CHECK(message.get<Software>()->text == "test vector");
        CHECK(message.get<XorMappedAddress>()->address == address(vector.mapped));
        CHECK(check_integrity(message, IntegrityKey::short_term(password), IntegrityKind::Sha1) ==
              Integrity::Passed);
        CHECK(check_fingerprint(message) == Fingerprint::Correct);
    }
}

constexpr std::string_view matrix = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9";

TEST_CASE("stun RFC 5769 2.4: sample request with long-term authentication") {
    const Bytes wire =
        hex("00010060 2112a442 78ad3433 c6ad72c0 29da412e"
            "00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000"
            "0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341"
            "0014000b 6578616d 706c652e 6f726700"
            "00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666");
    const MessageView message = view(wire);
    CHECK(message.get<Username>()->text == matrix);
    CHECK(message.get<Nonce>()->text == "f//499k954d6OL34oL9FSTvy64sA");
    CHECK(message.get<Realm>()->text == "example.org");
    const auto key = IntegrityKey::long_term(matrix, "example.org", "TheMatrIX");
    CHECK(check_integrity(message, key, IntegrityKind::Sha1) == Integrity::Passed);
    CHECK(check_fingerprint(message) == Fingerprint::Absent);
}

TEST_CASE("stun RFC 5769: the same octets are built, but for the padding") {
    Bytes expected = sample_request();
    // The vector pads the user name with blanks; "The padding bits MUST be set to zero on sending"
    // came with RFC 8489. Both sums over it differ, everything else is the same.
    MessageBuilder builder{Class::Request, Method::Binding, view(expected).id()};
    builder.add(Software{"STUN test client"})
        .add(Priority{0x6e0001ff})
        .add(IceControlled{0x932ff9b151263b36})
        .add(Username{"evtj:h6vY"})
        .add_integrity(IntegrityKey::short_term(password), IntegrityKind::Sha1)
        .add_fingerprint();
    const Bytes built = builder.finish();
    REQUIRE(built.size() == expected.size());
    const std::size_t padding = 20 + 20 + 8 + 12 + 4 + 9;
    for (std::size_t i = 0; i < 3; ++i) expected[padding + i] = std::byte{0};
    CHECK(
        equal(BytesView{built}.first(padding + 3 + 4), BytesView{expected}.first(padding + 3 + 4)));
    CHECK(check_integrity(view(built), IntegrityKey::short_term(password), IntegrityKind::Sha1) ==
          Integrity::Passed);
    CHECK(check_fingerprint(view(built)) == Fingerprint::Correct);
}

constexpr std::string_view b1_attributes =
    "001e0020 4a3cf38f ef6992bd a952c678 0417da0f 24819415 569e60b2 05c46e41 407f1704"
    "00150029 6f624d61 744a6f73 3241414143 662f2f34 39396b39 35346436 4f4c3334 6f4c3946"
    "53547679 36347341 000000"
    "0014000b 6578616d 706c652e 6f726700"
    "001c0020 e4686c8f 0edeb590 13e07090 010a93ef ccbccc54 4c0a45d9 f830aa6d 6f735a01";

TEST_CASE("stun RFC 8489 B.1: sample request with MESSAGE-INTEGRITY-SHA256 and USERHASH") {
    // The length field printed in the RFC, 0x9c, is 20 more than the attributes printed have, and
    // its tag was computed with it and with the SHA-256 key. Both facts are checked; the message
    // itself is no message.
    const std::string attributes{b1_attributes};
    const Bytes printed = hex("0001009c 2112a442 78ad3433 c6ad72c0 29da412e" + attributes);
    CHECK(MessageView::parse(printed).error() == ParseError::LengthMismatch);
    const auto key =
        IntegrityKey::long_term(matrix, "example.org", "TheMatrIX", PasswordAlgorithm::Sha256);
    const std::size_t covered = printed.size() - attribute_header_octets - full_sha256_tag_octets;
    const crypto::Digest tag = key.tag(IntegrityKind::Sha256, {BytesView{printed}.first(covered)});
    CHECK(equal(tag.bytes(), BytesView{printed}.last(full_sha256_tag_octets)));

    const Bytes wire = hex("00010088 2112a442 78ad3433 c6ad72c0 29da412e" + attributes);
    const MessageView message = view(wire);
    CHECK(*message.get<UserHash>() == UserHash::of(matrix, "example.org"));
    const std::string_view nonce = message.get<Nonce>()->text;
    CHECK(nonce == "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
    REQUIRE(parse_nonce_cookie(nonce));
    CHECK(parse_nonce_cookie(nonce)->bits == 2);  // "AAAC": neither of the assigned bits
    CHECK(message.get<Realm>()->text == "example.org");
    CHECK(check_integrity(message, key, IntegrityKind::Sha256) == Integrity::Failed);

    MessageBuilder builder{Class::Request, Method::Binding, message.id()};
    builder.add(UserHash::of(matrix, "example.org")).add(Nonce{nonce}).add(Realm{"example.org"});
    const Bytes repaired = builder.add_integrity(key, IntegrityKind::Sha256).finish();
    REQUIRE(repaired.size() == wire.size());
    CHECK(equal(BytesView{repaired}.first(covered), BytesView{wire}.first(covered)));
    CHECK(check_integrity(view(repaired), key, IntegrityKind::Sha256) == Integrity::Passed);
}

TEST_CASE("stun RFC 8489 9.2.2: the long-term key of the example") {
    const auto key = IntegrityKey::long_term("user", "realm", "pass");
    CHECK(to_hex(key.octets()) == "8493fbc53ba582fb4c044c456bdc40eb");
}

TEST_CASE("stun long-term key: quotes and trailing NULs are no part of it") {
    using namespace std::string_view_literals;
    const auto plain = IntegrityKey::long_term("user", "realm", "pass");
    const auto quoted = IntegrityKey::long_term("\"user\"\0"sv, "\"realm\"", "pass\0\0"sv);
    CHECK(equal(plain.octets(), quoted.octets()));
}

}  // namespace
}  // namespace stile::stun
