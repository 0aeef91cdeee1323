// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/connect/explanation.hpp>

namespace stile::connect {
namespace {

using namespace test;

const SocketAddress host{IpAddress::v4({192, 168, 1, 2}), Port{5000}};
const IpAddress router = IpAddress::v4({192, 168, 1, 1});

MappedPort mapping(std::string_view external, SocketAddress socket = host) {
    return {.host = socket, .external = at(external), .gateway = router};
}

std::vector<ice::Candidate> told(const Driven& driven) {
    return driven.connector.local_description().candidates;
}

bool tells(const Driven& driven, std::string_view address) {
    return std::ranges::any_of(
        told(driven), [&](const ice::Candidate& one) { return one.address == at(address); });
}

// The one STUN server's answer to the only request.
void answer_stun(Driven& driven, std::string_view mapped) {
    const Sent sent = driven.sent.back();
    const auto request = stun::MessageView::parse(BytesView{sent.octets});
    REQUIRE(request);
    stun::MessageBuilder response{stun::Class::SuccessResponse, stun::Method::Binding,
                                  request->id()};
    response.add(stun::XorMappedAddress{at(mapped)});
    driven.receive(sent.path, response.finish());
}

TEST_CASE("connector: a port kept open by a router is a reflexive candidate of its socket") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    driven.settle();
    REQUIRE(told(driven).size() == 2);
    const ice::Candidate& found = driven.last<CandidateGathered>().candidate;
    CHECK(found.type == ice::CandidateType::ServerReflexive);
    CHECK(found.address == at("203.0.113.1:7000"));
    CHECK(found.base == host);
    CHECK(found.related == host);
    // The same once more is no news.
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    driven.settle();
    CHECK(driven.count<CandidateGathered>() == 2);
}

TEST_CASE("connector: a mapping delays gathering by nothing, and may come after its end") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    CHECK(driven.count<GatheringCompleted>() == 1);
    driven.pass(60s);
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    driven.settle();
    CHECK(tells(driven, "203.0.113.1:7000"));
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector: a mapping and a STUN server have foundations of their own") {
    Driven driven{config_with({"192.168.1.2:5000"}, {"198.51.100.1:3478"})};
    answer_stun(driven, "203.0.113.1:6000");
    const auto by_stun = driven.last<CandidateGathered>().candidate;
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    driven.settle();
    const auto by_router = driven.last<CandidateGathered>().candidate;
    CHECK(by_router.address == at("203.0.113.1:7000"));
    CHECK(by_router.foundation != by_stun.foundation);
}

TEST_CASE("connector: a mapping behind a second NAT ranks below what STUN found, first or not") {
    for (const bool mapping_first : {false, true}) {
        CAPTURE(mapping_first);
        Driven driven{config_with({"192.168.1.2:5000"}, {"198.51.100.1:3478"})};
        const auto map = [&] {
            // RFC 6598: a provider's NAT.
            driven.connector.handle_port_mapped(driven.now, mapping("100.64.3.4:7000"));
        };
        if (mapping_first) map();
        answer_stun(driven, "203.0.113.1:6000");
        if (!mapping_first) map();
        driven.settle();
        REQUIRE(told(driven).size() == 3);
        const auto candidates = told(driven);
        const auto priority = [&](std::string_view address) {
            return std::ranges::find(candidates, at(address), &ice::Candidate::address)->priority;
        };
        CHECK(priority("100.64.3.4:7000") < priority("203.0.113.1:6000"));
    }
}

TEST_CASE(
    "connector: a lost mapping is told no longer, not at a restart either, until it is back") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    driven.connector.handle_port_unmapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK_FALSE(tells(driven, "203.0.113.1:7000"));
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK(tells(driven, "203.0.113.1:7000"));
    driven.connector.restart(driven.now);
    CHECK(tells(driven, "203.0.113.1:7000"));
    driven.connector.handle_port_unmapped(driven.now, mapping("203.0.113.1:7000"));
    driven.connector.restart(driven.now);
    CHECK_FALSE(tells(driven, "203.0.113.1:7000"));
}

TEST_CASE("connector: a router's new address replaces the old one") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.9:7000"));
    CHECK_FALSE(tells(driven, "203.0.113.1:7000"));
    CHECK(tells(driven, "203.0.113.9:7000"));
}

TEST_CASE("connector: what STUN sees, too, stays when the mapping goes") {
    Driven driven{config_with({"192.168.1.2:5000"}, {"198.51.100.1:3478"})};
    answer_stun(driven, "203.0.113.1:5000");
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:5000"));
    CHECK(told(driven).size() == 2);
    driven.connector.handle_port_unmapped(driven.now, mapping("203.0.113.1:5000"));
    CHECK(tells(driven, "203.0.113.1:5000"));
}

TEST_CASE("connector: mappings of others' sockets, refused ones and released ones are nothing") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    driven.connector.handle_port_mapped(driven.now,
                                        mapping("203.0.113.1:7000", at("192.168.1.2:5001")));
    driven.connector.handle_port_unmapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK(told(driven).size() == 1);
    driven.connector.release(driven.now);
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK(told(driven).size() == 1);

    ConnectorConfig hidden = config_with({"192.168.1.2:5000"});
    hidden.policy = CandidatePolicy::RelayedOnly;
    Driven shy{hidden};
    shy.connector.handle_port_mapped(shy.now, mapping("203.0.113.1:7000"));
    CHECK(told(shy).empty());
}

TEST_CASE("connector: a port kept open for a listener is a passive candidate over TCP") {
    ConnectorConfig config = config_with({"192.168.1.2:5000"});
    const Listener listener{host, ice::TcpType::Passive};  // the same address and port as by UDP
    config.listeners = {listener};
    Driven driven{std::move(config)};
    MappedPort by_tcp = mapping("203.0.113.1:7000");
    by_tcp.transport = ice::Transport::Tcp;
    driven.connector.handle_port_mapped(driven.now, by_tcp);
    driven.settle();
    const ice::Candidate found = driven.last<CandidateGathered>().candidate;
    CHECK(found.type == ice::CandidateType::ServerReflexive);
    CHECK(found.transport == ice::Transport::Tcp);
    CHECK(found.tcp_type == ice::TcpType::Passive);
    CHECK(found.address == at("203.0.113.1:7000"));
    CHECK(found.base == host);
    // The UDP socket's mapping of the same number is another one.
    driven.connector.handle_port_mapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK(driven.connector.report().mapped.size() == 2);
    driven.connector.handle_port_unmapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK(tells(driven, "203.0.113.1:7000"));
    // After a restart, too; but not without its listener.
    driven.connector.restart(driven.now);
    CHECK(tells(driven, "203.0.113.1:7000"));
    driven.connector.remove_listener(driven.now, listener);
    CHECK_FALSE(tells(driven, "203.0.113.1:7000"));
    CHECK(driven.connector.report().mapped.empty());
    driven.connector.handle_port_mapped(driven.now, by_tcp);
    CHECK_FALSE(tells(driven, "203.0.113.1:7000"));
}

TEST_CASE("connector: a firewall that was opened adds no candidate, and is in the report") {
    Driven driven{config_with({"[2001:db8::2]:5000"})};
    const SocketAddress six = at("[2001:db8::2]:5000");
    const MappedPort opened{.host = six,
                            .external = six,
                            .gateway = *IpAddress::parse("fe80::1"),
                            .transport = ice::Transport::Udp};
    driven.connector.handle_port_mapped(driven.now, opened);
    CHECK(told(driven).size() == 1);
    REQUIRE(driven.connector.report().mapped.size() == 1);
    CHECK(describe(driven.connector.report().mapped.front()) ==
          "router fe80::1 lets everybody reach [2001:db8::2]:5000");
    driven.connector.handle_port_unmapped(driven.now, opened);
    CHECK(told(driven).size() == 1);
}

TEST_CASE("connector: mapped ports are taken up to the limit") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    for (std::size_t i = 0; i < limits::most_mapped_ports + 1; ++i) {
        driven.connector.handle_port_mapped(
            driven.now, {.host = host,
                         .external = {IpAddress::v4({100, 64, 0, 1}),
                                      Port{static_cast<std::uint16_t>(7000 + i)}},
                         .gateway = IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(i)})});
    }
    CHECK(told(driven).size() == 1 + limits::most_mapped_ports);
}

TEST_CASE("connector: what routers keep open already is told with the sockets themselves") {
    ConnectorConfig config = config_with({"192.168.1.2:5000"});
    config.mapped_ports = {mapping("203.0.113.1:7000"),
                           mapping("203.0.113.1:7001", at("192.168.1.2:5001"))};
    Driven driven{config};
    CHECK(told(driven).size() == 2);
    CHECK(tells(driven, "203.0.113.1:7000"));
    driven.connector.handle_port_unmapped(driven.now, mapping("203.0.113.1:7000"));
    CHECK(told(driven).size() == 1);
}

}  // namespace
}  // namespace stile::connect
