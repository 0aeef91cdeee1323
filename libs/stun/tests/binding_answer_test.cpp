// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/binding_answer.hpp>

namespace stile::stun {
namespace {

using namespace test;

const SocketAddress mapped = *SocketAddress::parse("203.0.113.1:5000");

MessageBuilder success() { return {Class::SuccessResponse, Method::Binding, id_of(1)}; }

TEST_CASE("stun binding answer: everything that a server may say") {
    const Bytes wire = success()
                           .add(MappedAddress{address("10.0.0.1:5000")})
                           .add(XorMappedAddress{mapped})
                           .add(ResponseOrigin{address("192.0.2.1:3478")})
                           .add(OtherAddress{address("192.0.2.2:3479")})
                           .add(Software{"server"})
                           .finish();
    const auto answer = read_binding_answer(view(wire));
    REQUIRE(answer);
    CHECK(answer->mapped == mapped);
    CHECK(answer->mapped_in_clear == address("10.0.0.1:5000"));
    CHECK(answer->origin == address("192.0.2.1:3478"));
    CHECK(answer->other == address("192.0.2.2:3479"));
    CHECK(answer->software == "server");
}

TEST_CASE("stun binding answer: a server of RFC 3489 is understood") {
    const Bytes wire = success().add(MappedAddress{mapped}).finish();
    const auto answer = read_binding_answer(view(wire));
    REQUIRE(answer);
    CHECK(answer->mapped == mapped);
    CHECK_FALSE(answer->mapped_in_clear);
}

TEST_CASE("stun binding answer: refusals, and answers that say nothing") {
    const Bytes empty = success().finish();
    CHECK(read_binding_answer(view(empty)).error().code == 0);
    const Bytes broken =
        success().add_raw(AttributeType::XorMappedAddress, as_bytes("abc")).finish();
    CHECK(read_binding_answer(view(broken)).error().code == 0);
    MessageBuilder refusing{Class::ErrorResponse, Method::Binding, id_of(1)};
    const Bytes refusal = refusing.add(error::forbidden).finish();
    CHECK(read_binding_answer(view(refusal)).error().code == 403);
    CHECK(read_binding_answer(view(refusal)).error().reason == "Forbidden");
    const Bytes bare = MessageBuilder{Class::ErrorResponse, Method::Binding, id_of(1)}.finish();
    CHECK(read_binding_answer(view(bare)).error().code == 500);
}

TEST_CASE("stun binding answer: another address of the other family is none") {
    const Bytes wire = success()
                           .add(XorMappedAddress{mapped})
                           .add(OtherAddress{address("[2001:db8::1]:3479")})
                           .finish();
    CHECK_FALSE(read_binding_answer(view(wire))->other);
}

}  // namespace
}  // namespace stile::stun
