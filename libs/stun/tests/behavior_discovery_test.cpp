// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/base/machine.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/behavior_server.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/integrity.hpp>

namespace stile::stun {
namespace {

using namespace test;
using namespace std::chrono_literals;
using Change = ChangeRequest::Change;

static_assert(Machine<BehaviorDiscovery>);

const BehaviorServer& server() {
    static const BehaviorServer four{.primary = IpAddress::v4(0xC6336401),
                                     .alternate = IpAddress::v4(0xC6336402),
                                     .primary_port = Port{3478},
                                     .alternate_port = Port{3479},
                                     .software = {}};
    return four;
}

TEST_CASE("stun behavior server: answers from where RFC 5780 Table 1 says") {
    struct Row {
        Change ip;
        Change port;
        const char* at;
        const char* origin;
        const char* other;
    };
    const Row rows[] = {
        {Change::Keep, Change::Keep, "198.51.100.1:3478", "198.51.100.1:3478", "198.51.100.2:3479"},
        {Change::Change, Change::Keep, "198.51.100.1:3478", "198.51.100.2:3478",
         "198.51.100.2:3479"},
        {Change::Keep, Change::Change, "198.51.100.1:3478", "198.51.100.1:3479",
         "198.51.100.2:3479"},
        {Change::Change, Change::Change, "198.51.100.1:3478", "198.51.100.2:3479",
         "198.51.100.2:3479"},
        {Change::Change, Change::Change, "198.51.100.2:3478", "198.51.100.1:3479",
         "198.51.100.1:3479"},
        {Change::Keep, Change::Change, "198.51.100.2:3479", "198.51.100.2:3478",
         "198.51.100.1:3478"},
    };
    const SocketAddress client = address("192.0.2.1:5000");
    for (const Row& row : rows) {
        CAPTURE(row.at);
        CAPTURE(row.origin);
        MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
        const Bytes request = builder.add(ChangeRequest{row.ip, row.port}).finish();
        const auto answer = server().respond(view(request), {address(row.at), client});
        REQUIRE(answer);
        CHECK(answer->path == Path{address(row.origin), client});
        const MessageView message = view(answer->response);
        CHECK(message.get<ResponseOrigin>()->address == address(row.origin));
        CHECK(message.get<OtherAddress>()->address == address(row.other));
        CHECK(message.get<XorMappedAddress>()->address == client);
        CHECK(message.get<MappedAddress>()->address == client);
    }
}

TEST_CASE("stun behavior server: RESPONSE-PORT is where the answer goes, PADDING comes back") {
    const Path path{address("198.51.100.1:3478"), address("192.0.2.1:5000")};
    MessageBuilder other_port{Class::Request, Method::Binding, id_of(1)};
    const Bytes first = other_port.add(ResponsePort{Port{6000}}).finish();
    const auto answer = server().respond(view(first), path);
    REQUIRE(answer);
    CHECK(answer->path.remote == address("192.0.2.1:6000"));
    CHECK(view(answer->response).get<XorMappedAddress>()->address == path.remote);

    const std::size_t plain = server().respond(view(binding_request()), path)->response.size();
    for (const std::size_t octets : {0U, 4U, 1500U, 60'000U}) {
        MessageBuilder padded{Class::Request, Method::Binding, id_of(1)};
        const Bytes second = padded.add(Padding{octets}).finish();
        const auto padded_answer = server().respond(view(second), path);
        REQUIRE(padded_answer);
        CHECK(padded_answer->path == path);
        CHECK(view(padded_answer->response).get<Padding>()->octets == octets);
        CHECK(padded_answer->response.size() <= second.size() + plain);
    }
    MessageBuilder both{Class::Request, Method::Binding, id_of(1)};
    const Bytes third = both.add(Padding{1200}).add(ResponsePort{Port{6000}}).finish();
    const auto refusal = server().respond(view(third), path);
    REQUIRE(refusal);
    CHECK(refusal->path == path);
    CHECK(view(refusal->response).get<ErrorCode>()->code == 400);
}

TEST_CASE("stun behavior server: with one address it names no other and changes to none") {
    const BehaviorServer one{.primary = IpAddress::v4(0xC6336401),
                             .alternate = {},
                             .primary_port = Port{3478},
                             .alternate_port = {},
                             .software = {}};
    const Path path{address("198.51.100.1:3478"), address("192.0.2.1:5000")};
    const Bytes plain = binding_request();
    const auto answer = one.respond(view(plain), path);
    REQUIRE(answer);
    CHECK(answer->path == path);
    CHECK(answer->response == respond_to_binding(view(plain), path.remote));
    CHECK(one.respond_on_connection(view(plain), path) == answer->response);
    MessageBuilder changing{Class::Request, Method::Binding, id_of(1)};
    const Bytes change = changing.add(ChangeRequest{Change::Keep, Change::Change}).finish();
    CHECK(view(one.respond(view(change), path)->response).get<ErrorCode>()->code == 420);
    MessageBuilder keeping{Class::Request, Method::Binding, id_of(1)};
    const Bytes keep = keeping.add(ChangeRequest{}).finish();
    CHECK(view(one.respond(view(keep), path)->response).message_class() == Class::SuccessResponse);
    MessageBuilder other_port{Class::Request, Method::Binding, id_of(1)};
    const Bytes port = other_port.add(ResponsePort{Port{6000}}).finish();
    const auto elsewhere = one.respond(view(port), path);
    CHECK(elsewhere->path.remote == address("192.0.2.1:6000"));
    CHECK_FALSE(view(elsewhere->response).has(AttributeType::OtherAddress));
    CHECK(view(elsewhere->response).get<ResponseOrigin>()->address == path.local);
    CHECK_FALSE(one.respond(view(plain), {address("198.51.100.1:3479"), path.remote}));
}

TEST_CASE("stun behavior server: a connection is answered on itself, without datagram tests") {
    const Path path{address("198.51.100.1:3478"), address("192.0.2.1:5000")};
    const Bytes plain = binding_request();
    const auto answer = server().respond_on_connection(view(plain), path);
    REQUIRE(answer);
    CHECK(view(*answer).get<XorMappedAddress>()->address == path.remote);
    CHECK(view(*answer).get<OtherAddress>()->address == address("198.51.100.2:3479"));
    MessageBuilder changing{Class::Request, Method::Binding, id_of(1)};
    const Bytes change = changing.add(ChangeRequest{}).finish();
    const auto refusal = server().respond_on_connection(view(change), path);
    REQUIRE(refusal);
    CHECK(view(*refusal).get<ErrorCode>()->code == 420);
}

// RFC 3489 Section 11.2: MAPPED-ADDRESS 1, SOURCE-ADDRESS 4, CHANGED-ADDRESS 5.
TEST_CASE("stun behavior server: a classic client hears its own dialect") {
    Bytes request = binding_request();
    request[4] = std::byte{0};  // no magic cookie
    const Path path{address("198.51.100.1:3478"), address("192.0.2.1:5000")};
    const auto answer = server().respond(view(request, MagicCookie::Optional), path);
    REQUIRE(answer);
    CHECK(to_hex(BytesView{answer->response}.subspan(20)) ==
          "000100080001"
          "1388"
          "c0000201"
          "000400080001"
          "0d96"
          "c6336401"
          "000500080001"
          "0d97"
          "c6336402");
}

TEST_CASE("stun behavior server: silent to other messages and at other addresses") {
    const SocketAddress client = address("192.0.2.1:5000");
    const Bytes request = binding_request();
    CHECK_FALSE(server().respond(view(request), {address("198.51.100.3:3478"), client}));
    CHECK_FALSE(server().respond(view(request), {address("198.51.100.1:3480"), client}));
    const Bytes indication = MessageBuilder{Class::Indication, Method::Binding, id_of(1)}.finish();
    CHECK_FALSE(server().respond(view(indication), {address("198.51.100.1:3478"), client}));
}

BehaviorDiscovery discovery() {
    return {Instant{},
            {.local = address("192.0.2.1:5000"), .server = address("198.51.100.1:3478")},
            crypto::RandomStream{crypto::seed_from_number(1)}};
}

TEST_CASE("stun behavior discovery: without any answer there is no UDP") {
    BehaviorDiscovery machine = discovery();
    Instant now{};
    std::size_t sent = 0;
    while (const auto wake = machine.poll_timeout()) {
        while (machine.poll_transmit()) ++sent;
        now = *wake;
        machine.handle_timeout(now);
    }
    CHECK(sent == 4);
    CHECK(now == Instant{} + 5500ms);
    const auto findings = machine.poll_event();
    REQUIRE(findings);
    CHECK_FALSE(findings->mapped);
    CHECK_FALSE(findings->mapping);
    CHECK_FALSE(findings->filtering);
    CHECK_FALSE(machine.poll_event());
}

TEST_CASE("stun behavior discovery: a plain server tells the mapped address only") {
    BehaviorDiscovery machine = discovery();
    const auto transmit = machine.poll_transmit();
    REQUIRE(transmit);
    const auto request = MessageView::parse(transmit->payload);
    REQUIRE(request);
    MessageBuilder builder = MessageBuilder::reply(*request, Class::SuccessResponse);
    const Bytes response = builder.add(XorMappedAddress{address("203.0.113.1:1")}).finish();
    CHECK(machine.handle_datagram(Instant{}, transmit->path, response) == Verdict::Accepted);
    const auto findings = machine.poll_event();
    REQUIRE(findings);
    CHECK(findings->mapped == address("203.0.113.1:1"));
    CHECK_FALSE(findings->mapping);
    CHECK_FALSE(machine.poll_timeout());
}

TEST_CASE("stun behavior discovery: other datagrams are not its own") {
    BehaviorDiscovery machine = discovery();
    const Path path{address("192.0.2.1:5000"), address("198.51.100.1:3478")};
    CHECK(machine.handle_datagram(Instant{}, path, as_bytes("RTP")) == Verdict::NotMine);
    const Bytes other = MessageBuilder{Class::SuccessResponse, Method::Binding, id_of(9)}.finish();
    CHECK(machine.handle_datagram(Instant{}, path, other) == Verdict::NotMine);
    const Path elsewhere{address("192.0.2.1:5001"), path.remote};
    CHECK(machine.handle_datagram(Instant{}, elsewhere, other) == Verdict::NotMine);
}

}  // namespace
}  // namespace stile::stun
