// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/nat64.hpp>

#include <doctest/doctest.h>

namespace stile::connect {
namespace {

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

std::optional<Nat64Prefix> prefix(std::string_view text) {
    const auto parsed = IpPrefix::parse(text);
    REQUIRE(parsed);
    return Nat64Prefix::from(*parsed);
}

TEST_CASE("connect nat64: the examples of RFC 6052 Section 2.4") {
    struct Row {
        std::string_view prefix;
        std::string_view embedded;
    };
    const Row rows[] = {
        {"2001:db8::/32", "2001:db8:c000:221::"},
        {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
        {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
        {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
        {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
        {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"},
        {"64:ff9b::/96", "64:ff9b::192.0.2.33"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.prefix);
        REQUIRE(prefix(row.prefix));
        CHECK(prefix(row.prefix)->embed(ip("192.0.2.33")) == ip(row.embedded));
    }
    CHECK(prefix("64:ff9b::/96") == Nat64Prefix::well_known());
}

TEST_CASE("connect nat64: lengths that no NAT64 has, a used reserved octet and IPv4 are refused") {
    for (const std::string_view text :
         {"64:ff9b::/95", "2001:db8::/31", "2001:db8::/33", "2001:db8::/128", "2001:db8::/0",
          "2001:db8:0:0:100::/96", "192.0.2.0/32"}) {
        CAPTURE(text);
        CHECK_FALSE(prefix(text));
    }
    // Bits behind the prefix do not count.
    CHECK(prefix("2001:db8:122:344:100::/64") == prefix("2001:db8:122:344::/64"));
    CHECK_FALSE(Nat64Prefix::well_known().embed(ip("2001:db8::1")));
}

TEST_CASE("connect nat64: the well-known prefix stands for no private address, RFC 6052 3.1") {
    for (const std::string_view text : {"10.0.0.1", "172.16.0.1", "192.168.1.2", "100.64.0.1",
                                        "127.0.0.1", "169.254.0.1", "224.0.0.1", "0.0.0.0"}) {
        CAPTURE(text);
        CHECK_FALSE(Nat64Prefix::well_known().embed(ip(text)));
        CHECK(prefix("2001:db8:64::/96")->embed(ip(text)));
    }
    CHECK(Nat64Prefix::well_known().embed(ip("198.51.100.1")) == ip("64:ff9b::c633:6401"));
}

}  // namespace
}  // namespace stile::connect
