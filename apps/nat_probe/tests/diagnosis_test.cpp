// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/diagnosis.hpp>

#include <doctest/doctest.h>
#include <algorithm>

namespace stile::nat_probe {
namespace {

using namespace std::chrono_literals;
using app::ExitCode;
using Level = Finding::Level;
using stun::FilteringBehavior;
using stun::MappingBehavior;

SocketAddress at(std::string_view text) {
    const auto address = SocketAddress::parse(text);
    REQUIRE(address);
    return *address;
}

// Everything works, behind a NAT that filters by port.
NetworkFindings healthy() {
    NetworkFindings found;
    found.addresses = {at("192.168.1.2:0").ip, at("[2001:db8::2]:0").ip};
    found.udp = {{.server = at("198.51.100.1:3478"),
                  .local = at("192.168.1.2:4000"),
                  .mapped = at("203.0.113.9:4000"),
                  .round_trip = 20ms}};
    found.nat = connect::NatKnowledge::of(
        {MappingBehavior::EndpointIndependent, FilteringBehavior::AddressAndPortDependent});
    found.tcp = {.server = at("198.51.100.1:3478"),
                 .local = at("192.168.1.2:5000"),
                 .mapped = at("203.0.113.9:5000"),
                 .mapping = {},
                 .failure = {}};
    auto& server = found.server.emplace();
    server.name = "198.51.100.1";
    server.https.took = 40ms;
    server.sips.took = 41ms;
    auto& relay = server.relay.emplace();
    relay.relayed = at("198.51.100.1:50000");
    relay.loop = RelayFindings::Loop::Returned;
    relay.round_trip = 50ms;
    found.clock_ahead = 300ms;
    found.certificate_until = WallTime{} + std::chrono::hours{24 * 300};
    return found;
}

const Finding& line(const Diagnosis& diagnosis, std::string_view topic) {
    const auto found = std::ranges::find(diagnosis.findings, topic, &Finding::topic);
    REQUIRE(found != diagnosis.findings.end());
    return *found;
}

drivers::Closed closed(drivers::CloseReason reason) { return {reason, "said so"}; }

TEST_CASE("diagnosis: a healthy home") {
    const Diagnosis diagnosis = diagnose(healthy());
    CHECK(diagnosis.code == ExitCode::Done);
    CHECK(diagnosis.calls == "direct-mostly");
    CHECK(diagnosis.verdict == "direct with most networks; the relay covers the rest");
    for (const Finding& finding : diagnosis.findings) CHECK(finding.level == Level::Good);
    CHECK(line(diagnosis, "NAT").means == "direct with 3 of 9 kinds of NAT");
}

TEST_CASE("diagnosis: a network of IPv6 alone is told with its NAT64, or without") {
    NetworkFindings found = healthy();
    found.addresses = {at("[2001:db8::2]:0").ip};
    CHECK(line(diagnose(found), "IPv4").level == Level::Note);
    found.nat64 = IpPrefix::parse("64:ff9b::/96");
    CHECK(line(diagnose(found), "IPv4").level == Level::Good);
    CHECK(line(diagnose(found), "IPv4").found == "by the network's NAT64, 64:ff9b::/96");
}

TEST_CASE("diagnosis: what routers open is told by family and protocol") {
    using Mapping = NetworkFindings::PortMapping;
    NetworkFindings found = healthy();
    found.gateway = NetworkFindings::Gateway::Maps;
    found.port_mappings = {
        {.by = "PCP", .external = at("203.0.113.9:40000"), .protocol = Mapping::Protocol::Udp},
        {.by = "UPnP",
         .external = at("[2001:db8::2]:4000"),
         .effect = Mapping::Effect::LetsThrough},
        {.by = "PCP", .external = at("203.0.113.9:40001"), .protocol = Mapping::Protocol::Tcp}};
    CHECK(line(diagnose(found), "Mapping").found ==
          "PCP opens 203.0.113.9:40000 over UDP, 203.0.113.9:40001 over TCP");
    CHECK(line(diagnose(found), "Mapping").level == Level::Good);
    CHECK(line(diagnose(found), "Firewall").found == "UPnP lets in [2001:db8::2]:4000 over UDP");
    found.port_mappings.front().external = at("100.64.0.9:40000");
    CHECK(line(diagnose(found), "Mapping").level == Level::Note);
    CHECK(line(diagnose(found), "Firewall").level == Level::Good);
}

TEST_CASE("diagnosis: whatever is bad comes with a fix") {
    std::vector<NetworkFindings> ill(9, healthy());
    ill[0].addresses.clear();
    ill[1].udp[0].mapped.reset();
    ill[2].server->https = {.took = {}, .failure = closed(drivers::CloseReason::Expired)};
    ill[3].server->sips = {.took = {}, .failure = closed(drivers::CloseReason::Refused)};
    ill[4].clock_ahead = -std::chrono::hours{2};
    ill[5].certificate_until = WallTime{} - 1s;
    ill[6].server->relay->loop = RelayFindings::Loop::Lost;
    ill[7].server->relay = RelayFindings{};
    ill[8].server->https = {};
    for (const NetworkFindings& found : ill) {
        const Diagnosis diagnosis = diagnose(found);
        const auto bad = std::ranges::find(diagnosis.findings, Level::Bad, &Finding::level);
        REQUIRE(bad != diagnosis.findings.end());
        CHECK_FALSE(bad->fix.empty());
        CHECK_FALSE(bad->means.empty());
    }
}

TEST_CASE("diagnosis: the exit code says whether peers can be reached") {
    struct Row {
        ExitCode code;
        void (*change)(NetworkFindings&);
    };
    for (const Row& row : {
             // The relay alone, or direct paths alone, are enough.
             Row{ExitCode::Done, [](NetworkFindings& found) { found.server->relay.reset(); }},
             Row{ExitCode::Done, [](NetworkFindings& found) { found.udp[0].mapped.reset(); }},
             Row{ExitCode::NoPath,
                 [](NetworkFindings& found) {
                     found.udp[0].mapped.reset();
                     found.server->relay = RelayFindings{};
                 }},
             Row{ExitCode::NoPath,
                 [](NetworkFindings& found) {
                     found.server->sips = {.took = {},
                                           .failure = closed(drivers::CloseReason::TimedOut)};
                 }},
             Row{ExitCode::NotAuthorised,
                 [](NetworkFindings& found) {
                     found.server->sips = {.took = {},
                                           .failure = closed(drivers::CloseReason::Untrusted)};
                 }},
             Row{ExitCode::NotAuthorised,
                 [](NetworkFindings& found) {
                     found.server->https = {.took = {},
                                            .failure = closed(drivers::CloseReason::Expired)};
                 }},
             Row{ExitCode::NotFound,
                 [](NetworkFindings& found) {
                     found.server->not_found =
                         app::Problem{ExitCode::NotFound, "The server is not found", "", "", ""};
                 }},
             Row{ExitCode::NotAuthorised,
                 [](NetworkFindings& found) {
                     found.server->no_credentials =
                         app::Problem{ExitCode::NotAuthorised, "The server refuses", "", "", ""};
                 }},
             // Nobody is logged in: what can be said is said.
             Row{ExitCode::Done, [](NetworkFindings& found) { found.server.reset(); }},
             Row{ExitCode::Done,
                 [](NetworkFindings& found) {
                     found.server.reset();
                     found.udp.clear();
                 }},
         }) {
        NetworkFindings found = healthy();
        row.change(found);
        const Diagnosis diagnosis = diagnose(found);
        CAPTURE(diagnosis.verdict);
        CHECK(diagnosis.code == row.code);
    }
}

TEST_CASE("diagnosis: what each kind of NAT means for calls") {
    struct Row {
        connect::NatBehavior nat;
        std::string_view calls;
    };
    constexpr auto same = MappingBehavior::EndpointIndependent;
    for (const Row& row : {
             Row{{same, FilteringBehavior::EndpointIndependent}, "direct"},
             Row{{same, FilteringBehavior::AddressDependent}, "direct-mostly"},
             Row{{same, FilteringBehavior::AddressAndPortDependent}, "direct-mostly"},
             Row{{MappingBehavior::AddressDependent, FilteringBehavior::EndpointIndependent},
                 "relay-often"},
             Row{{MappingBehavior::AddressAndPortDependent,
                  FilteringBehavior::AddressAndPortDependent},
                 "relay-often"},
         }) {
        NetworkFindings found = healthy();
        found.nat = connect::NatKnowledge::of(row.nat);
        CHECK(diagnose(found).calls == row.calls);
    }
    NetworkFindings blocked = healthy();
    blocked.udp[0].mapped.reset();
    CHECK(diagnose(blocked).calls == "relay-always");
    CHECK(line(diagnose(blocked), "UDP").means.contains("does not get out"));
    blocked.server->relay.reset();
    CHECK(diagnose(blocked).calls == "none");
}

NetworkFindings without_udp() {
    NetworkFindings found = healthy();
    found.udp[0].mapped.reset();
    found.server->relay = RelayFindings{};
    found.server->stream_relay = {.server = at("198.51.100.1:443"),
                                  .transport = turn::ClientTransport::Tls,
                                  .relayed = at("198.51.100.1:50001"),
                                  .took = 70ms};
    return found;
}

TEST_CASE("diagnosis: where UDP is blocked and the relay is reached over TLS all works, slower") {
    NetworkFindings found = without_udp();
    const Diagnosis diagnosis = diagnose(found);
    CHECK(diagnosis.code == ExitCode::Done);
    CHECK(diagnosis.calls == "relay-always");
    CHECK(diagnosis.verdict == "works, slower: everybody is reached by the relay over TLS");
    CHECK(line(diagnosis, "UDP").level == Level::Note);
    CHECK(line(diagnosis, "UDP").means.contains("all works, and slower: relayed over TLS"));
    CHECK(line(diagnosis, "UDP").fix == "let UDP out in the firewall, to any port");
    CHECK(line(diagnosis, "Relay").level == Level::Good);
    CHECK(line(diagnosis, "Relay").found ==
          "over TLS to 198.51.100.1:443, gives 198.51.100.1:50001 in 70 ms");
    CHECK(std::ranges::none_of(diagnosis.findings,
                               [](const Finding& finding) { return finding.level == Level::Bad; }));
    found.server->stream_relay->transport = turn::ClientTransport::Tcp;
    CHECK(diagnose(found).verdict.ends_with("by the relay over TCP"));
}

TEST_CASE(
    "diagnosis: a relay that the network's proxy leads to counts, as far as the proxy works") {
    NetworkFindings found = without_udp();
    found.server->stream_relay = {.server = at("198.51.100.1:443"),
                                  .way = NetworkFindings::StreamRelay::Way::ByProxy};
    CHECK(diagnose(found).code == ExitCode::Done);
    CHECK(line(diagnose(found), "Relay").found.contains("by the network's proxy"));
    found.server->https = {};
    CHECK(diagnose(found).code == ExitCode::NoPath);
}

TEST_CASE("diagnosis: without UDP, a relay that is not to be reached either is bad, with the fix") {
    NetworkFindings found = without_udp();
    found.server->stream_relay->took.reset();
    found.server->stream_relay->failure = turn_link::LinkFailure{
        .closed = closed(drivers::CloseReason::TimedOut), .text = "no connection"};
    const Diagnosis diagnosis = diagnose(found);
    CHECK(diagnosis.code == ExitCode::NoPath);
    CHECK(diagnosis.calls == "none");
    CHECK(line(diagnosis, "UDP").level == Level::Bad);
    CHECK(line(diagnosis, "TLS relay").level == Level::Bad);
    CHECK(line(diagnosis, "TLS relay").fix.starts_with("let TCP out to port 443"));
}

TEST_CASE("diagnosis: UDP that works and a relay that does not take it is a note") {
    NetworkFindings found = without_udp();
    found.udp[0].mapped = at("203.0.113.9:4000");
    const Diagnosis diagnosis = diagnose(found);
    CHECK(diagnosis.code == ExitCode::Done);
    CHECK(line(diagnosis, "Relay").level == Level::Note);
    CHECK_FALSE(line(diagnosis, "Relay").fix.empty());
}

TEST_CASE("diagnosis: a clock that is off by minutes breaks things, by seconds it does not") {
    struct Row {
        Duration ahead;
        Level level;
        std::string_view words;
    };
    for (const Row& row : {
             Row{1s, Level::Good, "as the server's"},
             Row{-29s, Level::Good, "29 s behind the server's"},
             Row{tolerated_skew, Level::Note, "30 s ahead of the server's"},
             Row{harmful_skew, Level::Bad, "5 min ahead of the server's"},
             Row{-std::chrono::hours{26}, Level::Bad, "26 h behind the server's"},
         }) {
        NetworkFindings found = healthy();
        found.clock_ahead = row.ahead;
        const Diagnosis diagnosis = diagnose(found);
        CHECK(line(diagnosis, "Clock").level == row.level);
        CHECK(line(diagnosis, "Clock").found == row.words);
    }
}

TEST_CASE("relay findings: another port of the server shows how the NAT maps and filters by port") {
    RelayFindings findings;
    findings.seen_by_server = at("203.0.113.9:4000");
    findings.seen_by_relay = at("203.0.113.9:4001");
    findings.stranger = RelayFindings::Stranger::Dropped;
    connect::NatKnowledge nat;
    learn(findings, nat);
    CHECK(nat == connect::NatKnowledge::of({MappingBehavior::AddressAndPortDependent,
                                            FilteringBehavior::AddressAndPortDependent}));

    findings.seen_by_relay = findings.seen_by_server;
    findings.stranger = RelayFindings::Stranger::LetIn;
    nat = {};
    learn(findings, nat);
    CHECK_FALSE(nat.mapping());
    CHECK_FALSE(nat.may_be(
        {MappingBehavior::AddressAndPortDependent, FilteringBehavior::EndpointIndependent}));
    CHECK_FALSE(nat.may_be(
        {MappingBehavior::EndpointIndependent, FilteringBehavior::AddressAndPortDependent}));

    nat = {};
    learn(RelayFindings{}, nat);
    CHECK(nat == connect::NatKnowledge{});
}

}  // namespace
}  // namespace stile::nat_probe
