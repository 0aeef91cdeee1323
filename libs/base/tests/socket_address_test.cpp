// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/socket_address.hpp>

namespace stile {
namespace {

TEST_CASE("ip address: RFC 5952 text is canonical") {
    for (const auto& [text, canonical] : {
             std::pair{"192.0.2.1", "192.0.2.1"},
             std::pair{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
             std::pair{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
             std::pair{"::", "::"},
             std::pair{"::1", "::1"},
             std::pair{"1::", "1::"},
             std::pair{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
             std::pair{"::ffff:192.0.2.1", "::ffff:c000:201"},
         }) {
        CAPTURE(text);
        const auto address = IpAddress::parse(text);
        REQUIRE(address);
        CHECK(address->to_string() == canonical);
        CHECK(IpAddress::parse(canonical) == address);
    }
}

TEST_CASE("ip address: what is no address is refused") {
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", ":",
                             ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
                             "12345::", "g::", "1:2:3:4:5:6:7:8::", "1:", "::1%lo"}) {
        CAPTURE(text);
        CHECK_FALSE(IpAddress::parse(text));
    }
}

TEST_CASE("ip address: kinds of address") {
    CHECK(IpAddress::parse("127.3.2.1")->is_loopback());
    CHECK(IpAddress::parse("::1")->is_loopback());
    CHECK(IpAddress::parse("169.254.1.1")->is_link_local());
    CHECK(IpAddress::parse("febf::1")->is_link_local());
    CHECK_FALSE(IpAddress::parse("fec0::1")->is_link_local());
    CHECK(IpAddress::parse("172.31.255.255")->is_private());
    CHECK_FALSE(IpAddress::parse("172.32.0.0")->is_private());
    CHECK(IpAddress::parse("100.64.0.1")->is_private());
    CHECK(IpAddress::parse("fd00::1")->is_private());
    CHECK(IpAddress::parse("224.0.0.1")->is_multicast());
    CHECK(IpAddress::parse("::ffff:10.0.0.1")->unmapped() == IpAddress::v4({10, 0, 0, 1}));
}

TEST_CASE("ip prefix: contains by bits, never across families") {
    const auto prefix = IpPrefix::parse("10.64.0.0/10");
    REQUIRE(prefix);
    CHECK(prefix->contains(IpAddress::v4({10, 127, 255, 255})));
    CHECK_FALSE(prefix->contains(IpAddress::v4({10, 128, 0, 0})));
    CHECK_FALSE(prefix->contains(*IpAddress::parse("a40::")));
    CHECK(IpPrefix::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
    CHECK_FALSE(IpPrefix::parse("10.0.0.0/33"));
    CHECK(prefix->to_string() == "10.64.0.0/10");
}

TEST_CASE("socket address: text and back") {
    for (const char* text : {"192.0.2.1:3478", "[2001:db8::1]:5061", "0.0.0.0:0"}) {
        CAPTURE(text);
        const auto address = SocketAddress::parse(text);
        REQUIRE(address);
        CHECK(address->to_string() == text);
    }
    for (const char* text :
         {"192.0.2.1", "::1:80", "[192.0.2.1]:80", "[::1]", "[::1]:65536", "h:1"}) {
        CAPTURE(text);
        CHECK_FALSE(SocketAddress::parse(text));
    }
}

}  // namespace
}  // namespace stile
