// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/limits.hpp>
#include <stile/connect/nat64_discovery.hpp>

#include <doctest/doctest.h>
#include <string>

namespace stile::connect {
namespace {

std::vector<std::string> found(std::initializer_list<const char*> answers) {
    std::vector<IpAddress> addresses;
    for (const char* const answer : answers) {
        const auto parsed = IpAddress::parse(answer);
        REQUIRE(parsed);
        addresses.push_back(*parsed);
    }
    std::vector<std::string> result;
    for (const Nat64Prefix& prefix : nat64_prefixes(addresses)) {
        result.push_back(prefix.prefix().address.to_string() + "/" +
                         std::to_string(prefix.prefix().length));
    }
    return result;
}
using Found = std::vector<std::string>;

TEST_CASE("nat64 discovery: the well-known prefix, and a network's own of every length") {
    CHECK(found({"64:ff9b::c000:aa", "64:ff9b::c000:ab"}) == Found{"64:ff9b::/96"});
    CHECK(found({"64:ff9b::192.0.0.170"}) == Found{"64:ff9b::/96"});
    // RFC 6052 Section 2.4 with 192.0.0.170 in the place of its 192.0.2.33.
    CHECK(found({"2001:db8:c000:aa::"}) == Found{"2001:db8::/32"});
    CHECK(found({"2001:db8:1c0:0:aa::"}) == Found{"2001:db8:100::/40"});
    CHECK(found({"2001:db8:122:c000:0:aa00::"}) == Found{"2001:db8:122::/48"});
    CHECK(found({"2001:db8:122:3c0:0:aa::"}) == Found{"2001:db8:122:300::/56"});
    CHECK(found({"2001:db8:122:344:c0:0:aa00::"}) == Found{"2001:db8:122:344::/64"});
    CHECK(found({"2001:db8:122:344::c000:ab"}) == Found{"2001:db8:122:344::/96"});
}

TEST_CASE("nat64 discovery: several prefixes, each once, as they come") {
    CHECK(found({"2001:db8:1::c000:aa", "64:ff9b::c000:aa", "2001:db8:1::c000:ab"}) ==
          Found{"2001:db8:1::/96", "64:ff9b::/96"});
}

TEST_CASE("nat64 discovery: where no DNS64 is there is no prefix") {
    CHECK(found({}).empty());
    CHECK(found({"192.0.0.170", "192.0.0.171"}).empty());
    CHECK(found({"2001:db8::1"}).empty());
    CHECK(found({"64:ff9b::c000:ac"}).empty());  // 192.0.0.172
    CHECK(found({"64:ff9b::c000:a9"}).empty());
    CHECK(found({"::ffff:192.0.0.170"}).empty());
}

TEST_CASE("nat64 discovery: the reserved octet is zero") {
    CHECK(found({"2001:db8:122:c000:100:aa00::"}).empty());
    CHECK(found({"2001:db8:0:0:100::c000:aa"}).empty());
}

TEST_CASE(
    "nat64 discovery: in two places of an address the one counts on which two answers agree") {
    // A prefix of 32 bits, and behind it what looks like one of 96.
    const char* const one = "2001:db8:c000:aa::c000:aa";
    CHECK(found({one}).empty());
    CHECK(found({one, "2001:db8:c000:ab::c000:aa"}) == Found{"2001:db8::/32"});
    CHECK(found({one, "2001:db8:c000:aa::c000:ab"}) == Found{"2001:db8:c000:aa::/96"});
}

TEST_CASE("nat64 discovery: a lying server is listened to so long and no longer") {
    std::vector<IpAddress> many;
    for (std::size_t i = 0; i < 2 * limits::most_nat64_answers; ++i) {
        many.push_back(*IpAddress::parse("2001:db8:" + std::to_string(i + 1) + "::c000:aa"));
    }
    CHECK(nat64_prefixes(many).size() == limits::most_nat64_prefixes);
    // What is beyond the limit is not looked at.
    std::vector<IpAddress> late(limits::most_nat64_answers, *IpAddress::parse("2001:db8::1"));
    late.push_back(*IpAddress::parse("64:ff9b::c000:aa"));
    CHECK(nat64_prefixes(late).empty());
    late.erase(late.begin());
    CHECK(nat64_prefixes(late).size() == 1);
}

}  // namespace
}  // namespace stile::connect
