// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/base/machine.hpp>
#include <stile/stun/behavior_server.hpp>
#include <stile/stun/connection_mapping_discovery.hpp>

namespace stile::stun {
namespace {

using namespace test;
using namespace std::chrono_literals;

const SocketAddress server_address = *SocketAddress::parse("198.51.100.1:3478");

ConnectionMappingDiscovery discovery() {
    return {
        Instant{}, {.server = server_address}, crypto::RandomStream{crypto::seed_from_number(1)}};
}

// Plays the servers' side; `mapped` says from where a connection to each of them seems to come.
template <class Mapped>
ConnectionMappingDiscovery::Findings run(Mapped mapped, std::size_t piece) {
    const BehaviorServer server{.primary = server_address.ip,
                                .alternate = address("198.51.100.2:1").ip,
                                .primary_port = Port{3478},
                                .alternate_port = Port{3479},
                                .software = "test"};
    ConnectionMappingDiscovery machine = discovery();
    for (;;) {
        if (const auto findings = machine.poll_event()) return *findings;
        const auto target = machine.poll_connect();
        REQUIRE(target);
        CHECK_FALSE(machine.poll_connect());
        CHECK_FALSE(machine.poll_transmit());
        machine.handle_connected(Instant{}, *target);
        const auto sent = machine.poll_transmit();
        REQUIRE(sent);
        const Bytes request = to_bytes(sent->payload);
        const auto answer = server.respond_on_connection(view(request), {*target, mapped(*target)});
        REQUIRE(answer);
        for (std::size_t at = 0; at < answer->size(); at += piece) {
            const auto size = std::min(piece, answer->size() - at);
            machine.handle_bytes(Instant{}, *target, BytesView{*answer}.subspan(at, size));
        }
    }
}

TEST_CASE("stun connection mapping: every behaviour is found, however the octets arrive") {
    for (const std::size_t piece : {1U, 7U, 1000U}) {
        const auto same = run([](const SocketAddress&) { return address("203.0.113.1:1"); }, piece);
        CHECK(same.mapping == MappingBehavior::EndpointIndependent);
        CHECK(same.mapped == address("203.0.113.1:1"));
        CHECK(same.software == "test");
        const auto by_address = run(
            [](const SocketAddress& to) {
                return to.ip == server_address.ip ? address("203.0.113.1:1")
                                                  : address("203.0.113.1:2");
            },
            piece);
        CHECK(by_address.mapping == MappingBehavior::AddressDependent);
        const auto by_both = run(
            [](const SocketAddress& to) {
                SocketAddress seen = address("203.0.113.1:1");
                seen.port.value = static_cast<std::uint16_t>(
                    to.port.value + (to.ip == server_address.ip ? 0 : 1000));
                return seen;
            },
            piece);
        CHECK(by_both.mapping == MappingBehavior::AddressAndPortDependent);
    }
}

TEST_CASE(
    "stun connection mapping: a server without a second address tells the mapping's address") {
    ConnectionMappingDiscovery machine = discovery();
    machine.handle_connected(Instant{}, server_address);
    const Bytes request = to_bytes(machine.poll_transmit()->payload);
    const Bytes answer = MessageBuilder::reply(view(request), Class::SuccessResponse)
                             .add(XorMappedAddress{address("203.0.113.1:1")})
                             .finish();
    machine.handle_bytes(Instant{}, server_address, answer);
    const auto findings = machine.poll_event();
    REQUIRE(findings);
    CHECK(findings->mapped == address("203.0.113.1:1"));
    CHECK_FALSE(findings->mapping);
    CHECK_FALSE(machine.poll_timeout());
}

TEST_CASE("stun connection mapping: no connection, no answer, no STUN, a refusal") {
    ConnectionMappingDiscovery closed = discovery();
    closed.handle_closed(Instant{}, address("198.51.100.9:1"));  // another one
    CHECK_FALSE(closed.poll_event());
    closed.handle_closed(Instant{}, server_address);
    CHECK_FALSE(closed.poll_event()->mapped);

    ConnectionMappingDiscovery silent = discovery();
    CHECK(silent.poll_timeout() == Instant{} + 10s);
    silent.handle_timeout(Instant{} + 10s);
    CHECK_FALSE(silent.poll_event()->mapped);

    ConnectionMappingDiscovery web = discovery();
    web.handle_connected(Instant{}, server_address);
    web.handle_bytes(Instant{}, server_address, as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
    CHECK_FALSE(web.poll_event()->mapped);

    ConnectionMappingDiscovery refused = discovery();
    refused.handle_connected(Instant{}, server_address);
    const Bytes request = to_bytes(refused.poll_transmit()->payload);
    const Bytes refusal = MessageBuilder::reply(view(request), Class::ErrorResponse)
                              .add(error::unauthenticated)
                              .finish();
    refused.handle_bytes(Instant{}, server_address, refusal);
    CHECK(refused.poll_event()->refusal == 401);
}

}  // namespace
}  // namespace stile::stun
