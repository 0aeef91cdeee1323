// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/ice/candidate_table.hpp>
#include <stile/ice/limits.hpp>
#include <stile/ice/priority.hpp>

namespace stile::ice {
namespace {

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }
IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

GatheredCandidate reflexive(std::string_view mapped, std::string_view base,
                            std::string_view server) {
    return {.type = CandidateType::ServerReflexive,
            .address = at(mapped),
            .base = at(base),
            .server = ip(server)};
}

TEST_CASE("ice candidates: foundations follow RFC 8445 Section 5.1.1.3") {
    LocalCandidates table;
    const auto foundation = [&](const GatheredCandidate& gathered) {
        const auto index = table.add(gathered);
        REQUIRE(index);
        return table[*index].foundation;
    };
    const auto host = foundation(host_candidate(at("10.0.0.1:1")));
    CHECK(foundation(host_candidate(at("10.0.0.1:2"))) == host);  // ports differ
    CHECK(foundation(host_candidate(at("10.0.0.2:1"))) != host);  // bases differ
    const auto mapped = foundation(reflexive("192.0.2.1:5", "10.0.0.1:1", "198.51.100.1"));
    CHECK(mapped != host);  // types differ
    CHECK(foundation(reflexive("192.0.2.1:6", "10.0.0.1:2", "198.51.100.1")) == mapped);
    CHECK(foundation(reflexive("192.0.2.1:7", "10.0.0.1:1", "198.51.100.2")) != mapped);
    for (std::uint16_t i = 0; i < table.size(); ++i) {
        CHECK_FALSE(check_candidate(table[i]).has_value());
    }
}

TEST_CASE("ice candidates: same address and base is redundant, another base is not") {
    LocalCandidates table;
    REQUIRE(table.add(host_candidate(at("192.0.2.1:1"))));
    // Not behind a NAT: RFC 8445 Section 5.1.3.
    CHECK(table.add(reflexive("192.0.2.1:1", "192.0.2.1:1", "198.51.100.1")).error() ==
          CandidateError::Redundant);
    CHECK(table.add(reflexive("192.0.2.1:1", "10.0.0.9:1", "198.51.100.1")));
    CHECK(table.size() == 2);
}

TEST_CASE("ice candidates: of two redundant ones that with the higher priority stays") {
    LocalCandidates table;
    REQUIRE(table.add(reflexive("192.0.2.1:1", "192.0.2.1:1", "198.51.100.1")));
    REQUIRE(table.add(host_candidate(at("192.0.2.1:1"))));
    REQUIRE(table.size() == 1);
    CHECK(table[0].type == CandidateType::Host);
}

TEST_CASE("ice candidates: the first has local preference 65535, each next of its type one less") {
    LocalCandidates table;
    const auto priority = [&](const GatheredCandidate& gathered) {
        return table[table.add(gathered).value()].priority;
    };
    CHECK(priority(host_candidate(at("10.0.0.1:1"))) == 2130706431);
    CHECK(priority(host_candidate(at("10.0.0.2:1"))) == 2130706431 - 256);
    CHECK(priority(reflexive("192.0.2.1:5", "10.0.0.1:1", "198.51.100.1")) == 1694498815);
    CHECK(priority(host_candidate(at("10.0.0.1:2"), {2})) == 2130706430);
    auto chosen = host_candidate(at("10.0.0.3:1"));
    chosen.local_preference = 65533;
    CHECK(priority(chosen) == 2130706431 - 512);
    CHECK(priority(host_candidate(at("10.0.0.4:1"))) == 2130706431 - 768);
}

TEST_CASE("ice candidates: what cannot be an address is refused") {
    LocalCandidates table;
    for (const char* text : {"192.0.2.1:0", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1",
                             "255.255.255.255:1"}) {
        CAPTURE(text);
        CHECK(table.add(host_candidate(at(text))).error() == CandidateError::UnusableAddress);
    }
    CHECK(table.size() == 0);
}

TEST_CASE("ice candidates: malformed remote candidates") {
    const Candidate good{.address = at("192.0.2.1:1"), .priority = 1, .foundation = "1"};
    RemoteCandidates table;
    const auto error = [&](auto change) {
        Candidate candidate = good;
        change(candidate);
        const auto added = table.add(candidate);
        REQUIRE_FALSE(added);
        return added.error();
    };
    CHECK(error([](Candidate& c) { c.transport = Transport::Tcp; }) ==
          CandidateError::UnsupportedTransport);
    CHECK(error([](Candidate& c) { c.address.port.value = 0; }) == CandidateError::UnusableAddress);
    CHECK(error([](Candidate& c) { c.priority = 0; }) == CandidateError::BadPriority);
    CHECK(error([](Candidate& c) { c.priority = 0x8000'0000; }) == CandidateError::BadPriority);
    CHECK(error([](Candidate& c) { c.foundation = ""; }) == CandidateError::BadFoundation);
    CHECK(error([](Candidate& c) { c.foundation = std::string(33, 'x'); }) ==
          CandidateError::BadFoundation);
    Candidate longest = good;
    longest.foundation = std::string(32, 'x');
    CHECK(table.add(longest));
    CHECK(table.add(longest).error() == CandidateError::Redundant);
}

TEST_CASE(
    "ice candidates: a discovered one gives way to what is signalled, RFC 8838 Section 11.4") {
    RemoteCandidates table;
    const auto found = table.add_peer_reflexive(at("192.0.2.1:1"), {1}, 77);
    REQUIRE(found);
    const auto unknown = table.foundation(*found);
    const Candidate signalled{.type = CandidateType::ServerReflexive,
                              .address = at("192.0.2.1:1"),
                              .base = at("192.0.2.1:1"),
                              .priority = 99,
                              .foundation = "a"};
    CHECK(table.add(signalled) == found);
    CHECK(table[*found] == signalled);
    CHECK(table.foundation(*found) != unknown);
    CHECK(table.size() == 1);
}

TEST_CASE("ice candidates: discovered ones have foundations of their own") {
    RemoteCandidates table;
    const auto first = table.add_peer_reflexive(at("192.0.2.1:1"), {1}, 77);
    const auto second = table.add_peer_reflexive(at("192.0.2.1:2"), {1}, 77);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(table.foundation(*first) != table.foundation(*second));
    CHECK(table[*first].foundation != table[*second].foundation);
}

TEST_CASE("ice candidates: both tables at their limit and past it") {
    LocalCandidates local;
    RemoteCandidates remote;
    const auto address = [](std::size_t i) {
        return SocketAddress{IpAddress::v4({10, 0, 0, 1}), Port{static_cast<std::uint16_t>(1 + i)}};
    };
    for (std::size_t i = 0; i < limits::most_local_candidates; ++i) {
        REQUIRE(local.add(host_candidate(address(i))));
    }
    for (std::size_t i = 0; i < limits::most_remote_candidates; ++i) {
        REQUIRE(remote.add({.address = address(i), .priority = 1, .foundation = "1"}));
    }
    CHECK(local.add(host_candidate(address(1000))).error() == CandidateError::TooMany);
    CHECK(local.add_peer_reflexive(address(1000), 0, 5).error() == CandidateError::TooMany);
    CHECK(remote.add({.address = address(1000), .priority = 1, .foundation = "1"}).error() ==
          CandidateError::TooMany);
    CHECK(remote.add_peer_reflexive(address(1000), {1}, 1).error() == CandidateError::TooMany);
}

}  // namespace
}  // namespace stile::ice
