// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/base/machine.hpp>
#include <stile/stun/behavior_discovery.hpp>
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

TEST_CASE("stun behavior server: RESPONSE-PORT is where the answer goes, PADDING is refused") {
    const Path path{address("198.51.100.1:3478"), address("192.0.2.1:5000")};
    MessageBuilder other_port{Class::Request, Method::Binding, id_of(1)};
    const Bytes first = other_port.add(ResponsePort{Port{6000}}).finish();
    const auto answer = server().respond(view(first), path);
    REQUIRE(answer);
    CHECK(answer->path.remote == address("192.0.2.1:6000"));
    CHECK(view(answer->response).get<XorMappedAddress>()->address == path.remote);

    MessageBuilder padded{Class::Request, Method::Binding, id_of(1)};
    const Bytes second = padded.add(Padding{1200}).finish();
    const auto refusal = server().respond(view(second), path);
    REQUIRE(refusal);
    CHECK(refusal->path == path);
    CHECK(view(refusal->response).get<ErrorCode>()->code == 420);
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
