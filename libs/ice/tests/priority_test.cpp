// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/ice/priority.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

TEST_CASE("ice priority: the values of RFC 8839 and RFC 8445 examples") {
    // "a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host", RFC 8839 Section 5.1 and RFC
    // 8445 Section 15.1.
    CHECK(candidate_priority(CandidateType::Host, 65535, {1}) == 2130706431);
    CHECK(candidate_priority(CandidateType::Host, 65535, {2}) == 2130706430);
    CHECK(candidate_priority(CandidateType::ServerReflexive, 65535, {1}) == 1694498815);
    CHECK(candidate_priority(CandidateType::PeerReflexive, 65535, {1}) == 1862270975);
    CHECK(candidate_priority(CandidateType::Relayed, 65535, {1}) == 16777215);
}

TEST_CASE("ice priority: the list of RFC 8421 Section 5") {
    // Its local preferences, as the formula gives them back.
    CHECK(candidate_priority(CandidateType::Host, 60000, {1}) == 2129289471);
    CHECK(candidate_priority(CandidateType::Host, 60000, {2}) == 2129289470);
    CHECK(candidate_priority(CandidateType::Host, 59000, {1}) == 2129033471);
    CHECK(candidate_priority(CandidateType::Host, 54000, {1}) == 2127753471);
    CHECK(candidate_priority(CandidateType::ServerReflexive, 60000, {1}) == 1693081855);
    CHECK(candidate_priority(CandidateType::ServerReflexive, 56000, {2}) == 1692057854);
    CHECK(candidate_priority(CandidateType::Relayed, 60000, {1}) == 15360255);
    CHECK(candidate_priority(CandidateType::Relayed, 59000, {2}) == 15104254);
}

TEST_CASE("ice priority: the ends of the formula stay in 1 to 2^31 - 1") {
    CHECK(candidate_priority(CandidateType::Relayed, 0, {256}) == 0);
    CHECK_FALSE(is_valid_priority(0));
    CHECK(is_valid_priority(1));
    CHECK(is_valid_priority(0x7FFF'FFFF));
    CHECK_FALSE(is_valid_priority(0x8000'0000));
    CHECK(is_valid_priority(candidate_priority(CandidateType::Host, 65535, {1})));
}

TEST_CASE("ice priority: PRIORITY of a check has the type preference of peer reflexive ones") {
    const auto host = candidate_priority(CandidateType::Host, 4711, {2});
    CHECK(peer_reflexive_priority(host) ==
          candidate_priority(CandidateType::PeerReflexive, 4711, {2}));
    CHECK(peer_reflexive_priority(candidate_priority(CandidateType::Relayed, 1, {1})) ==
          candidate_priority(CandidateType::PeerReflexive, 1, {1}));
}

TEST_CASE("ice priority: pairs, RFC 8445 Section 6.1.2.3") {
    // G is the controlling agent's.
    CHECK(pair_priority(Role::Controlling, 3, 2).value == (2ULL << 32U) + 6 + 1);
    CHECK(pair_priority(Role::Controlled, 3, 2).value == (2ULL << 32U) + 6);
    CHECK(pair_priority(Role::Controlling, 2, 2).value == (2ULL << 32U) + 4);
    CHECK(pair_priority(Role::Controlling, 0x7FFF'FFFF, 0x7FFF'FFFF).value ==
          0x7FFF'FFFF'FFFF'FFFEULL);
}

TEST_CASE("ice priority: both sides compute the same pair priority") {
    for (const std::uint32_t ours : {1U, 5U, 2130706431U}) {
        for (const std::uint32_t theirs : {1U, 5U, 16777215U}) {
            CHECK(pair_priority(Role::Controlling, ours, theirs) ==
                  pair_priority(Role::Controlled, theirs, ours));
        }
    }
}

TEST_CASE("ice priority: families are intermingled by the head start of RFC 8421 Section 4") {
    const auto address = [](std::string_view text) { return *IpAddress::parse(text); };
    // "If a host has two IPv4 addresses and six IPv6 addresses, it will insert an IPv4 address
    // after four IPv6 addresses".
    std::vector<IpAddress> addresses{address("192.0.2.1"), address("192.0.2.2")};
    for (const char* text : {"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4",
                             "2001:db8::5", "2001:db8::6"}) {
        addresses.push_back(address(text));
    }
    const auto order = intermingle(addresses);
    REQUIRE(order.size() == 8);
    CHECK(order[0] == address("2001:db8::1"));
    CHECK(order[4] == address("192.0.2.1"));
    CHECK(order[5] == address("2001:db8::5"));
    CHECK(order[7] == address("192.0.2.2"));
    CHECK(intermingle({}).empty());
    const std::vector<IpAddress> only4{address("192.0.2.1"), address("192.0.2.2")};
    CHECK(intermingle(only4) == only4);
    const std::vector<IpAddress> only6{address("2001:db8::1"), address("2001:db8::2")};
    CHECK(intermingle(only6) == only6);
}

}  // namespace
}  // namespace stile::ice
