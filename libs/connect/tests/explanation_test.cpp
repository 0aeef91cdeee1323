// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/explanation.hpp>

#include <doctest/doctest.h>
#include <algorithm>

namespace stile::connect {
namespace {

using ice::CandidateType;
using stun::FilteringBehavior;
using stun::MappingBehavior;

SocketAddress at(std::string_view text) {
    const auto address = SocketAddress::parse(text);
    REQUIRE(address);
    return *address;
}

const NatKnowledge symmetric = NatKnowledge::of(
    {MappingBehavior::AddressAndPortDependent, FilteringBehavior::AddressAndPortDependent});
const NatKnowledge port_restricted = NatKnowledge::of(
    {MappingBehavior::EndpointIndependent, FilteringBehavior::AddressAndPortDependent});
const NatKnowledge open_cone = NatKnowledge::of(
    {MappingBehavior::EndpointIndependent, FilteringBehavior::EndpointIndependent});

ice::Candidate candidate(CandidateType type, std::string_view address, std::string_view base) {
    return {.type = type, .component = {}, .address = at(address), .base = at(base), .related = {}};
}

ice::PairReport pair(CandidateType local_type, std::string_view local, CandidateType remote_type,
                     std::string_view remote, ice::PairState state) {
    const bool works = state == ice::PairState::Succeeded;
    return {.component = {},
            .local = at(local),
            .path = {at(local), at(remote)},
            .local_type = local_type,
            .remote_type = remote_type,
            .priority = {},
            .state = state,
            .valid = works,
            .nominated = works,
            .selected = works,
            .last_error = {},
            .round_trip = {}};
}

constexpr auto host = CandidateType::Host;
constexpr auto reflexive = CandidateType::ServerReflexive;
constexpr auto discovered = CandidateType::PeerReflexive;
constexpr auto relay = CandidateType::Relayed;

SourceReport answered(SourceReport::Kind kind, std::string_view server, std::string_view mapped) {
    SourceReport source;
    source.kind = kind;
    source.path = {at("192.168.1.2:4000"), at(server)};
    source.outcome = SourceReport::Outcome::Answered;
    source.mapped = at(mapped);
    return source;
}

// Two homes, each with its STUN server and relay, between which only the relay works.
PathReport relayed() {
    PathReport report;
    report.state = ice::State::Completed;
    report.sources = {answered(SourceReport::Kind::Turn, "198.51.100.1:3478", "203.0.113.1:50000")};
    report.sources.front().relayed = {at("198.51.100.1:60000")};
    report.local = {candidate(host, "192.168.1.2:4000", "192.168.1.2:4000"),
                    candidate(reflexive, "203.0.113.1:50000", "192.168.1.2:4000"),
                    candidate(relay, "198.51.100.1:60000", "198.51.100.1:60000")};
    report.remote = {candidate(host, "192.168.7.2:5000", "192.168.7.2:5000"),
                     candidate(reflexive, "203.0.113.2:40000", "203.0.113.2:40000"),
                     candidate(relay, "198.51.100.1:61000", "198.51.100.1:61000")};
    report.pairs = {
        pair(host, "192.168.1.2:4000", reflexive, "203.0.113.2:40000", ice::PairState::Removed),
        pair(relay, "198.51.100.1:60000", reflexive, "203.0.113.2:40000",
             ice::PairState::Succeeded)};
    report.route = Route{.pair = report.pairs.back().path,
                         .wire = {at("192.168.1.2:4000"), at("198.51.100.1:3478")},
                         .channel = {},
                         .kind = RouteKind::Relayed,
                         .local_type = relay,
                         .remote_type = reflexive,
                         .round_trip = {}};
    return report;
}

// The same without a path.
PathReport in_vain() {
    PathReport report = relayed();
    report.route.reset();
    report.state = ice::State::Failed;
    for (ice::PairReport& each : report.pairs) {
        each.state = ice::PairState::Failed;
        each.last_error = ice::PairError{};
        each.valid = each.nominated = each.selected = false;
    }
    return report;
}

TEST_CASE("explanation: a NAT that maps per destination, and one that filters by port") {
    // What their NAT is, the session shows: our relay was answered from the port that their server
    // had seen.
    const Explanation found = explain(relayed(), symmetric);
    CHECK(found.outcome == Outcome::Relayed);
    CHECK(found.obstacle == Obstacle::OursMapsTheirsFilters);
    CHECK(found.certainty == Certainty::Likely);
    CHECK(found.verdict() ==
          "relayed: your NAT maps per destination and theirs filters by port, as far as can be "
          "seen from here: direct is impossible over IPv4");
}

TEST_CASE("explanation: the same from the other side, whose packets came from a new port") {
    PathReport report = relayed();
    report.pairs.back().path.remote = at("203.0.113.2:40777");
    report.remote.push_back(candidate(discovered, "203.0.113.2:40777", "203.0.113.2:40777"));
    const Explanation found = explain(report, port_restricted);
    CHECK(found.theirs.maps_per_destination());
    CHECK(found.obstacle == Obstacle::TheirsMapsOursFilters);
    CHECK(found.certainty == Certainty::Proven);
    CHECK(found.verdict() ==
          "relayed: their NAT maps per destination and yours filters by port: direct is "
          "impossible over IPv4");
}

TEST_CASE("explanation: every pair of NATs that excludes a direct path is blamed as it is") {
    const auto all = [](auto act) {
        for (const MappingBehavior mapping : mapping_behaviors) {
            for (const FilteringBehavior filtering : filtering_behaviors) {
                act(NatBehavior{mapping, filtering});
            }
        }
    };
    all([&](const NatBehavior& ours) {
        all([&](const NatBehavior& theirs) {
            // All that a session can show of their mapping.
            PathReport report = relayed();
            if (theirs.mapping != MappingBehavior::EndpointIndependent) {
                report.pairs.back().path.remote = at("203.0.113.2:40777");
                report.remote.push_back(
                    candidate(discovered, "203.0.113.2:40777", "203.0.113.2:40777"));
            }
            const Explanation found = explain(report, NatKnowledge::of(ours));
            const Obstacle obstacle = obstacle_between(ours, theirs);
            if (obstacle == Obstacle::None) return;  // then there would be a direct path
            CHECK(found.has(Reason::NatsExclude) != found.has(Reason::NatsUnknown));
            CHECK_FALSE(found.has(Reason::SomethingElse));
            // A certain verdict is the right one.
            if (found.certainty == Certainty::Proven && found.obstacle != Obstacle::None) {
                CHECK(found.obstacle == obstacle);
            }
        });
    });
}

TEST_CASE("explanation: nothing known of the NATs blames none") {
    const Explanation found = explain(relayed());
    CHECK(found.has(Reason::NatsUnknown));
    CHECK(found.obstacle == Obstacle::None);
}

TEST_CASE("explanation: NATs that allow a direct path are not blamed") {
    CHECK(explain(relayed(), open_cone).has(Reason::SomethingElse));
}

TEST_CASE("explanation: two servers that see two ports show a mapping per destination") {
    PathReport report = relayed();
    report.sources.push_back(
        answered(SourceReport::Kind::Stun, "198.51.100.2:3478", "203.0.113.1:50001"));
    CHECK(explain(report).ours.maps_per_destination());
    report.sources.back().mapped = report.sources.front().mapped;
    CHECK(explain(report).ours.mapping() == MappingBehavior::EndpointIndependent);
    // Of one address, another port: all that it excludes is a mapping per port.
    report.sources.back().path.remote = at("198.51.100.1:3479");
    CHECK_FALSE(explain(report).ours.mapping());
    CHECK_FALSE(explain(report).ours.may_be(
        {MappingBehavior::AddressAndPortDependent, FilteringBehavior::EndpointIndependent}));
}

TEST_CASE("explanation: a direct route is told as what it is") {
    PathReport report = relayed();
    report.route->kind = RouteKind::Direct;
    report.route->local_type = host;
    report.route->remote_type = reflexive;
    CHECK(explain(report).verdict() ==
          "direct: both sides sent, and what is between let it through");
    report.route->remote_type = host;
    CHECK(explain(report).has(Reason::SameNetwork));
}

TEST_CASE("explanation: silence of every server is UDP blocked, and NATs are not judged") {
    PathReport report = in_vain();
    report.local.resize(1);
    report.sources.front() = {};
    report.sources.front().kind = SourceReport::Kind::Turn;
    report.sources.front().path = {at("192.168.1.2:4000"), at("198.51.100.1:3478")};
    report.sources.front().outcome = SourceReport::Outcome::Silent;
    const Explanation found = explain(report);
    CHECK(found.verdict() == "no path: UDP does not get out of this network");
    CHECK_FALSE(found.has(Reason::NatsUnknown));
    CHECK_FALSE(found.has(Reason::RelaySilent));
}

TEST_CASE("explanation: a relay that refuses is quoted") {
    PathReport report = in_vain();
    report.local.pop_back();
    report.sources.front() = {};
    report.sources.front().kind = SourceReport::Kind::Turn;
    report.sources.front().path = {at("192.168.1.2:4000"), at("198.51.100.1:3478")};
    report.sources.front().outcome = SourceReport::Outcome::Refused;
    report.sources.front().failure = turn::Failure{
        .kind = turn::FailureKind::Unauthenticated, .code = 401, .reason = "Unauthorized"};
    const Explanation found = explain(report);
    CHECK(found.verdict() ==
          "no path: the relay refused you: TURN 198.51.100.1:3478 says 401 Unauthorized");
    CHECK(found.has(Reason::NoPublicAddress));
    CHECK_FALSE(found.has(Reason::NoUdp));
}

TEST_CASE("explanation: what the peer lacks") {
    PathReport report = in_vain();
    report.remote = {candidate(host, "192.168.7.2:5000", "192.168.7.2:5000")};
    const Explanation found = explain(report);
    CHECK(found.has(Reason::PeerNoPublic));
    CHECK(found.has(Reason::PeerNoRelay));
    report.remote.clear();
    CHECK(explain(report).outcome == Outcome::NotMet);
}

TEST_CASE("explanation: address families that only one side has") {
    PathReport report = relayed();
    report.local.push_back(candidate(host, "[2001:db8::1]:4000", "[2001:db8::1]:4000"));
    CHECK(explain(report).has(Reason::PeerNoIpv6));
    report.remote.push_back(candidate(host, "[2001:db8::2]:4000", "[2001:db8::2]:4000"));
    CHECK_FALSE(explain(report).has(Reason::PeerNoIpv6));
    std::erase_if(report.local, [](const auto& one) { return one.address.ip.is_v6(); });
    CHECK(explain(report).has(Reason::WeNoIpv6));
    std::erase_if(report.remote, [](const auto& one) { return one.address.ip.is_v4(); });
    CHECK(explain(report).has(Reason::NoCommonFamily));
}

TEST_CASE("explanation: both behind one NAT") {
    PathReport report = relayed();
    report.remote[1].address = at("203.0.113.1:50002");
    CHECK(explain(report).has(Reason::SameNat));
}

TEST_CASE("explanation: each reason has a word and each outcome one of its own") {
    std::vector<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(Reason::PeerSilent); ++i) {
        words.push_back(to_string(static_cast<Reason>(i)));
        CHECK_FALSE(words.back().empty());
    }
    std::ranges::sort(words);
    CHECK(std::ranges::adjacent_find(words) == words.end());
}

}  // namespace
}  // namespace stile::connect
