// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/proxy_protocol.hpp>

#include <doctest/doctest.h>

#include <stile/base/encoding.hpp>

#include <string>

using namespace stile;
using namespace stile::relay;

namespace {

const std::string signature = "0d0a0d0a000d0a515549540a";
const std::string tcp4 = signature + "2111000cc0000201c6336402c35001bb";

Bytes bytes(const std::string& hex) { return *from_hex(hex); }

ProxyError error_of(const std::string& hex) {
    const auto parsed = parse_proxy_header(bytes(hex));
    REQUIRE_FALSE(parsed);
    return parsed.error();
}

}  // namespace

TEST_CASE("PROXY protocol: the client's addresses, IPv4 and IPv6") {
    const auto v4 = parse_proxy_header(bytes(tcp4 + "160301"));
    REQUIRE(v4);
    CHECK(v4->octets == 28);
    CHECK(v4->addresses->remote == *SocketAddress::parse("192.0.2.1:50000"));
    CHECK(v4->addresses->local == *SocketAddress::parse("198.51.100.2:443"));

    const auto v6 = parse_proxy_header(bytes(signature + "21210024"
                                                         "20010db8000000000000000000000001"
                                                         "20010db8000000000000000000000002"
                                                         "c35001bb"));
    REQUIRE(v6);
    CHECK(v6->octets == 52);
    CHECK(v6->addresses->remote == *SocketAddress::parse("[2001:db8::1]:50000"));
    CHECK(v6->addresses->local == *SocketAddress::parse("[2001:db8::2]:443"));
}

TEST_CASE("PROXY protocol: extensions are skipped") {
    const auto parsed = parse_proxy_header(
        bytes(signature + "21110014c0000201c6336402c35001bb0300046162636400" + "ff"));
    REQUIRE(parsed);
    CHECK(parsed->octets == 36);
    CHECK(parsed->addresses->remote == *SocketAddress::parse("192.0.2.1:50000"));
}

TEST_CASE("PROXY protocol: a balancer that speaks for itself, or for what is not TCP") {
    for (const char* rest : {"20000000", "2011000cc0000201c6336402c35001bb", "21000000",
                             "2131000400000000", "2112000cc0000201c6336402c35001bb"}) {
        const auto parsed = parse_proxy_header(bytes(signature + rest));
        REQUIRE(parsed);
        CHECK_FALSE(parsed->addresses);
    }
}

TEST_CASE("PROXY protocol: every cut is incomplete") {
    const Bytes whole = bytes(tcp4);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto parsed = parse_proxy_header(BytesView{whole}.first(size));
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == ProxyError::Incomplete);
    }
}

TEST_CASE("PROXY protocol: what it is not") {
    CHECK(error_of("160301") == ProxyError::NotProxy);
    CHECK(error_of("50524f585920") == ProxyError::NotProxy);  // version 1
    CHECK(error_of("0d0a0d0a01") == ProxyError::NotProxy);
    CHECK(error_of(signature + "1111000cc0000201c6336402c35001bb") == ProxyError::Malformed);
    CHECK(error_of(signature + "2211000cc0000201c6336402c35001bb") == ProxyError::Malformed);
    CHECK(error_of(signature + "2111000bc0000201c6336402c35001") == ProxyError::Malformed);
    CHECK(error_of(signature + "212100230000000000000000000000000000000000000000000000000000000000"
                               "0000000000000000") == ProxyError::Malformed);
}

TEST_CASE("PROXY protocol: no more than its limit is waited for") {
    // 4096 - 16 = 0x0ff0.
    CHECK(error_of(signature + "21110ff0") == ProxyError::Incomplete);
    CHECK(error_of(signature + "21110ff1") == ProxyError::TooLong);
}
