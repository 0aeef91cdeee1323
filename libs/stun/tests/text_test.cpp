// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/limits.hpp>
#include <stile/stun/opaque_string.hpp>
#include <stile/stun/round_trip_estimator.hpp>
#include <stile/stun/stun_uri.hpp>

#include <doctest/doctest.h>

namespace stile::stun {
namespace {

using namespace std::chrono_literals;

TEST_CASE("stun opaque string: ASCII passes unchanged") {
    CHECK(opaque_string("VOkJxbRl1RmTxUk/WvJxBt") == "VOkJxbRl1RmTxUk/WvJxBt");
    CHECK(opaque_string(" two  words ") == " two  words ");
}

TEST_CASE("stun opaque string: other letters pass, other spaces become the space") {
    CHECK(opaque_string("\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9") ==
          "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9");
    CHECK(opaque_string("a\u00A0b\u3000c\u1680d\u2003e") == "a b c d e");
    CHECK(opaque_string("\U0001F511") == "\U0001F511");
}

TEST_CASE("stun opaque string: empty, controls and what is not UTF-8 are refused") {
    using namespace std::string_view_literals;
    const std::string_view table[] = {
        "",
        "a\tb",
        "a\nb",
        "\0"sv,
        "a\x7F",
        "\u0085",
        "\x80",
        "\xC0\x80",
        "\xC3",
        "\xE2\x82",
        "\xE0\x80\x80",
        "\xED\xA0\x80",
        "\xF4\x90\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFF",
        "\xF0\x80\x80\x80",
        "\xC3\x28",
    };
    for (const std::string_view text : table) {
        CAPTURE(text);
        CHECK_FALSE(opaque_string(text));
    }
}

TEST_CASE("stun round trip: half a second until something is known, and never less") {
    RoundTripEstimator estimator;
    const Instant start{};
    CHECK(estimator.rto(start) == 500ms);
    estimator.add(start, 10ms);
    CHECK(estimator.rto(start) == 500ms);
}

TEST_CASE("stun round trip: smoothed as RFC 6298 says") {
    RoundTripEstimator estimator;
    const Instant start{};
    estimator.add(start, 800ms);
    CHECK(estimator.rto(start) == 800ms + 4 * 400ms);
    estimator.add(start, 800ms);
    CHECK(estimator.rto(start) == 800ms + 4 * 300ms);
    estimator.add(start, 1600ms);
    CHECK(estimator.rto(start) == 900ms + 4 * 425ms);
}

TEST_CASE("stun round trip: forgotten after ten minutes, never above a minute") {
    RoundTripEstimator estimator;
    const Instant start{};
    estimator.add(start, 50s);
    CHECK(estimator.rto(start) == 60s);
    CHECK(estimator.rto(start + 10min - 1ns) == 60s);
    CHECK(estimator.rto(start + 10min) == 500ms);
}

TEST_CASE("stun uri: RFC 7064 examples and back") {
    for (const std::string_view text :
         {"stun:example.org", "stuns:example.org", "stun:example.org:8000", "stun:192.0.2.1",
          "stun:[2001:db8::1]:3478", "stuns:a-b.example.:65535"}) {
        CAPTURE(text);
        const auto uri = StunUri::parse(text);
        REQUIRE(uri);
        CHECK(uri->to_string() == text);
    }
    CHECK(StunUri::parse("STUNS:h")->scheme == StunUri::Scheme::Stuns);
    CHECK(StunUri::parse("stuns:h")->default_port() == Port{5349});
    CHECK(StunUri::parse("stun:h")->default_port() == Port{3478});
    CHECK(StunUri::parse("stun:[::1]:1")->address());
    CHECK_FALSE(StunUri::parse("stun:h")->address());
}

TEST_CASE("stun uri: malformed ones are refused") {
    for (const std::string_view text :
         {"", "stun", "stun:", "turn:example.org", "stun://example.org", "stun:h:", "stun:h:65536",
          "stun:h:x", "stun:h?transport=udp", "stun:[::1", "stun:[::1]x", "stun:[1.2.3.4]",
          "stun:a b", "stun:u@h", "stun:[]", "stun:h:1:2", "stun::1"}) {
        CAPTURE(text);
        CHECK_FALSE(StunUri::parse(text));
    }
    const std::string most = "stun:" + std::string(StunUri::most_octets - 5, 'h');
    CHECK(StunUri::parse(most));
    CHECK_FALSE(StunUri::parse(most + "h"));
}

}  // namespace
}  // namespace stile::stun
