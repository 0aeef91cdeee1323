// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/binding_responder.hpp>
#include <stile/stun/integrity.hpp>

namespace stile::stun {
namespace {

using namespace test;

const SocketAddress& source() {
    static const SocketAddress address = test::address("203.0.113.7:50000");
    return address;
}

TEST_CASE("stun binding responder: tells where the request came from") {
    const Bytes request = binding_request(9);
    const auto answer = respond_to_binding(view(request), source(), "stile");
    REQUIRE(answer);
    const MessageView message = view(*answer);
    CHECK(message.message_class() == Class::SuccessResponse);
    CHECK(message.method() == Method::Binding);
    CHECK(message.id() == id_of(9));
    CHECK(message.get<XorMappedAddress>()->address == source());
    CHECK(message.get<Software>()->text == "stile");
    CHECK_FALSE(message.has(AttributeType::MappedAddress));
    CHECK(check_fingerprint(message) == Fingerprint::Absent);
}

TEST_CASE("stun binding responder: works for IPv6") {
    const Bytes request = binding_request();
    const auto from = address("[2001:db8::9]:9");
    const auto answer = respond_to_binding(view(request), from);
    REQUIRE(answer);
    CHECK(view(*answer).get<XorMappedAddress>()->address == from);
}

TEST_CASE("stun binding responder: the answer has a fingerprint if the request had") {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    const Bytes request = builder.add_fingerprint().finish();
    const auto answer = respond_to_binding(view(request), source(), "stile");
    REQUIRE(answer);
    CHECK(check_fingerprint(view(*answer)) == Fingerprint::Correct);
}

TEST_CASE("stun binding responder: says nothing to what is not a Binding request") {
    for (const Class message_class :
         {Class::Indication, Class::SuccessResponse, Class::ErrorResponse}) {
        const Bytes wire = MessageBuilder{message_class, Method::Binding, id_of(1)}.finish();
        CHECK_FALSE(respond_to_binding(view(wire), source()));
    }
    const Bytes allocate = MessageBuilder{Class::Request, Method::Allocate, id_of(1)}.finish();
    CHECK_FALSE(respond_to_binding(view(allocate), source()));
}

TEST_CASE("stun binding responder: what it must understand and does not is answered with 420") {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add_raw(AttributeType{0x7000}, {});
    builder.add(ChangeRequest{.ip = ChangeRequest::Change::Change});
    const Bytes request = builder.finish();
    const auto answer = respond_to_binding(view(request), source());
    REQUIRE(answer);
    const MessageView message = view(*answer);
    CHECK(message.message_class() == Class::ErrorResponse);
    CHECK(message.get<ErrorCode>()->code == 420);
    const auto unknown = message.get<UnknownAttributes>();
    REQUIRE(unknown);
    REQUIRE(unknown->types().size() == 2);
    CHECK(unknown->types()[0] == AttributeType{0x7000});
    CHECK(unknown->types()[1] == AttributeType::ChangeRequest);
}

TEST_CASE("stun binding responder: optional attributes are ignored") {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add_raw(AttributeType{0xF000}, as_bytes("xyz"));
    const Bytes request = builder.finish();
    CHECK(view(*respond_to_binding(view(request), source())).message_class() ==
          Class::SuccessResponse);
}

TEST_CASE("stun binding responder: an RFC 3489 client gets MAPPED-ADDRESS and its own id") {
    // As stun-client 0.97 sends it: CHANGE-REQUEST without a wish.
    const Bytes request = hex("00010008 11223344 55667788 99aabbcc ddeeff00 00030004 00000000");
    const auto answer = respond_to_binding(view(request, MagicCookie::Optional), source(), "x");
    REQUIRE(answer);
    CHECK(to_hex(BytesView{*answer}.first(20)) == "0101000c112233445566778899aabbccddeeff00");
    const MessageView message = view(*answer, MagicCookie::Optional);
    CHECK(message.get<MappedAddress>()->address == source());
    CHECK_FALSE(message.has(AttributeType::XorMappedAddress));
    CHECK_FALSE(message.has(AttributeType::Software));
}

TEST_CASE("stun binding responder: the 420 of an RFC 3489 client has no padding") {
    const Bytes request = hex("00010008 11223344 55667788 99aabbcc ddeeff00 00030004 00000006");
    const auto answer = respond_to_binding(view(request, MagicCookie::Optional), source());
    REQUIRE(answer);
    const MessageView message = view(*answer, MagicCookie::Optional);
    CHECK(message.get<ErrorCode>()->code == 420);
    CHECK(to_hex(*message.find(AttributeType::UnknownAttributes)) == "00030003");
}

TEST_CASE("stun binding responder: the same request has the same answer") {
    const Bytes request = binding_request();
    CHECK(*respond_to_binding(view(request), source()) ==
          *respond_to_binding(view(request), source()));
}

TEST_CASE("stun binding responder: over DTLS a request of RFC 3489 is a server error") {
    Bytes classic = binding_request();
    classic[4] = std::byte{0};  // no magic cookie
    const auto refusal = refuse_classic(view(classic, MagicCookie::Optional));
    REQUIRE(refusal);
    const MessageView message = view(*refusal, MagicCookie::Optional);
    CHECK(message.get<ErrorCode>()->code == 500);
    CHECK(equal(message.wire().subspan(4, 16), BytesView{classic}.subspan(4, 16)));
    const Bytes modern = binding_request();
    CHECK_FALSE(refuse_classic(view(modern)));
    Bytes indication = MessageBuilder{Class::Indication, Method::Binding, id_of(1)}.finish();
    indication[4] = std::byte{0};
    CHECK_FALSE(refuse_classic(view(indication, MagicCookie::Optional)));
}

}  // namespace
}  // namespace stile::stun
