// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/integrity.hpp>
#include <stile/stun/short_term.hpp>

namespace stile::stun {
namespace {

using namespace test;

const IntegrityKey& secret() {
    static const IntegrityKey key = IntegrityKey::short_term("secret");
    return key;
}

Bytes request(ShortTermKinds kinds) {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add(Username{"a:b"});
    add_short_term_integrity(builder, secret(), kinds);
    return builder.add_fingerprint().finish();
}

TEST_CASE("stun integrity: changing any octet that it covers makes it fail") {
    const Bytes original = request(ShortTermKinds::Both);
    for (const IntegrityKind kind : {IntegrityKind::Sha1, IntegrityKind::Sha256}) {
        REQUIRE(check_integrity(view(original), secret(), kind) == Integrity::Passed);
        const std::size_t covered =
            *view(original).integrity_offset(kind) + (kind == IntegrityKind::Sha1 ? 24 : 36);
        for (std::size_t i = 0; i < covered; ++i) {
            CAPTURE(i);
            Bytes wire = original;
            wire[i] ^= std::byte{1};
            const auto parsed = MessageView::parse(wire);
            if (!parsed) continue;
            // The fourth octet is the length, which is computed anew; padding is covered too.
            CHECK(check_integrity(*parsed, secret(), kind) == Integrity::Failed);
        }
    }
}

TEST_CASE("stun fingerprint: changing any octet makes it wrong") {
    const Bytes original = request(ShortTermKinds::Sha1);
    REQUIRE(check_fingerprint(view(original)) == Fingerprint::Correct);
    for (std::size_t i = 0; i < original.size(); ++i) {
        CAPTURE(i);
        Bytes wire = original;
        wire[i] ^= std::byte{0x01};
        const auto parsed = MessageView::parse(wire);
        if (parsed) CHECK(check_fingerprint(*parsed) != Fingerprint::Correct);
    }
}

TEST_CASE("stun integrity: truncated SHA-256 tags pass only where the usage allows them") {
    for (const std::size_t octets : {16UZ, 20UZ, 24UZ, 28UZ, 32UZ}) {
        CAPTURE(octets);
        MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
        const Bytes wire = builder.add_integrity(secret(), LeastTag{octets}).finish();
        const MessageView message = view(wire);
        CHECK(message.find(AttributeType::MessageIntegritySha256)->size() == octets);
        CHECK(check_integrity(message, secret(), IntegrityKind::Sha256, LeastTag{16}) ==
              Integrity::Passed);
        CHECK((check_integrity(message, secret(), IntegrityKind::Sha256) == Integrity::Passed) ==
              (octets == 32));
        CHECK((check_integrity(message, secret(), IntegrityKind::Sha256, LeastTag{24}) ==
               Integrity::Passed) == (octets >= 24));
    }
}

TEST_CASE("stun integrity: tags of a forbidden length fail") {
    for (const std::size_t octets : {0UZ, 4UZ, 12UZ, 15UZ, 18UZ, 31UZ, 36UZ}) {
        CAPTURE(octets);
        MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
        // The right beginning of the right tag does not help.
        builder.add_raw(AttributeType::MessageIntegritySha256, Bytes(octets));
        const Bytes wire = builder.finish();
        CHECK(check_integrity(view(wire), secret(), IntegrityKind::Sha256, LeastTag{0}) ==
              Integrity::Failed);
    }
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add_raw(AttributeType::MessageIntegrity, Bytes(16));
    const Bytes wire = builder.finish();
    CHECK(check_integrity(view(wire), secret(), IntegrityKind::Sha1) == Integrity::Failed);
}

TEST_CASE("stun integrity: a copied key makes the same tags") {
    const IntegrityKey copy = secret();
    const Bytes wire = request(ShortTermKinds::Sha256);
    CHECK(check_integrity(view(wire), copy, IntegrityKind::Sha256) == Integrity::Passed);
    CHECK(check_integrity(view(wire), IntegrityKey::from_octets(copy.octets()),
                          IntegrityKind::Sha256) == Integrity::Passed);
    CHECK(check_integrity(view(wire), IntegrityKey::short_term(""), IntegrityKind::Sha256) ==
          Integrity::Failed);
}

TEST_CASE("stun short-term server: a request without username or integrity is a bad request") {
    MessageBuilder bare{Class::Request, Method::Binding, id_of(1)};
    const Bytes no_integrity = bare.add(Username{"a"}).finish();
    CHECK(short_term_username(view(no_integrity)).error().code == 400);
    MessageBuilder nameless{Class::Request, Method::Binding, id_of(1)};
    const Bytes no_name = nameless.add_integrity(secret(), IntegrityKind::Sha1).finish();
    CHECK(short_term_username(view(no_name)).error().code == 400);
}

TEST_CASE("stun short-term server: SHA-256 is checked if it is there, and decides the answer") {
    const Bytes both = request(ShortTermKinds::Both);
    CHECK(*short_term_username(view(both)) == "a:b");
    CHECK(*check_short_term(view(both), secret()) == IntegrityKind::Sha256);
    const Bytes old = request(ShortTermKinds::Sha1);
    CHECK(*check_short_term(view(old), secret()) == IntegrityKind::Sha1);
    CHECK(check_short_term(view(old), IntegrityKey::short_term("x")).error().code == 401);
}

Bytes response(IntegrityKind kind) {
    MessageBuilder builder{Class::SuccessResponse, Method::Binding, id_of(1)};
    return builder.add_integrity(secret(), kind).finish();
}

TEST_CASE("stun short-term client: learns the kind from the first response and keeps to it") {
    ShortTermKinds kinds = ShortTermKinds::Both;
    const Bytes sha1 = response(IntegrityKind::Sha1);
    const Bytes sha256 = response(IntegrityKind::Sha256);
    CHECK(check_short_term_response(view(sha256), secret(), kinds) == Integrity::Passed);
    CHECK(kinds == ShortTermKinds::Sha256);
    CHECK(check_short_term_response(view(sha1), secret(), kinds) == Integrity::Failed);
    CHECK(kinds == ShortTermKinds::Sha256);
}

TEST_CASE("stun short-term client: a bad or missing tag teaches nothing") {
    ShortTermKinds kinds = ShortTermKinds::Both;
    const Bytes good = response(IntegrityKind::Sha1);
    CHECK(check_short_term_response(view(good), IntegrityKey::short_term("x"), kinds) ==
          Integrity::Failed);
    const Bytes bare = MessageBuilder{Class::SuccessResponse, Method::Binding, id_of(1)}.finish();
    CHECK(check_short_term_response(view(bare), secret(), kinds) == Integrity::Failed);
    CHECK(kinds == ShortTermKinds::Both);
}

}  // namespace
}  // namespace stile::stun
