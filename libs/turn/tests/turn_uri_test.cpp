// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/turn/turn_uri.hpp>

namespace stile::turn {
namespace {

using enum TurnUri::Scheme;
using enum TurnUri::Transport;
using ParseError = TurnUri::ParseError;

TEST_CASE("turn uri: what is well formed is read, and printed as it was") {
    struct Case {
        std::string_view text;
        TurnUri uri;
        std::uint16_t default_port;
    };
    for (const Case& each : {
             Case{"turn:example.org", {Turn, "example.org", {}, {}}, 3478},
             Case{"turns:example.org", {Turns, "example.org", {}, {}}, 5349},
             Case{"turn:example.org:8000", {Turn, "example.org", Port{8000}, {}}, 3478},
             Case{"turn:example.org?transport=udp", {Turn, "example.org", {}, Udp}, 3478},
             Case{"turn:example.org?transport=tcp", {Turn, "example.org", {}, Tcp}, 3478},
             Case{"turns:example.org?transport=tcp", {Turns, "example.org", {}, Tcp}, 5349},
             Case{"turns:example.org:443?transport=udp",
                  {Turns, "example.org", Port{443}, Udp},
                  5349},
             Case{"turn:192.0.2.1", {Turn, "192.0.2.1", {}, {}}, 3478},
             Case{"turn:192.0.2.1:1", {Turn, "192.0.2.1", Port{1}, {}}, 3478},
             Case{"turn:[2001:db8::1]", {Turn, "2001:db8::1", {}, {}}, 3478},
             Case{"turn:[2001:db8::1]:65535?transport=tcp",
                  {Turn, "2001:db8::1", Port{65535}, Tcp},
                  3478},
             Case{"turn:a_b-c.d", {Turn, "a_b-c.d", {}, {}}, 3478},
         }) {
        CAPTURE(each.text);
        const auto uri = TurnUri::parse(each.text);
        REQUIRE(uri);
        CHECK(*uri == each.uri);
        CHECK(uri->to_string() == each.text);
        CHECK(uri->default_port().value == each.default_port);
        CHECK(uri->address().has_value() == (each.text.find_first_of("123[") == 5));
    }
}

TEST_CASE("turn uri: scheme and transport are read in any case of letters") {
    const auto uri = TurnUri::parse("TURNS:Example.ORG?Transport=TCP");
    REQUIRE(uri);
    CHECK(uri->to_string() == "turns:Example.ORG?transport=tcp");
}

TEST_CASE("turn uri: what is not well formed is refused for its reason") {
    struct Case {
        std::string text;
        ParseError error;
    };
    for (const Case& each : {
             Case{"", ParseError::NotTurn},
             Case{"example.org", ParseError::NotTurn},
             Case{"stun:example.org", ParseError::NotTurn},
             Case{"turnx:example.org", ParseError::NotTurn},
             Case{" turn:example.org", ParseError::NotTurn},
             Case{"turn:", ParseError::BadHost},
             Case{"turn://example.org", ParseError::BadHost},
             Case{"turn:user@example.org", ParseError::BadHost},
             Case{"turn:exam ple.org", ParseError::BadHost},
             Case{"turn:2001:db8::1", ParseError::BadPort},
             Case{"turn:[2001:db8::1", ParseError::BadHost},
             Case{"turn:[]", ParseError::BadHost},
             Case{"turn:[192.0.2.1]", ParseError::BadHost},
             Case{"turn:[2001:db8::1]x", ParseError::BadHost},
             Case{"turn:example.org/path", ParseError::BadHost},
             Case{"turn:example.org:", ParseError::BadPort},
             Case{"turn:example.org:0", ParseError::BadPort},
             Case{"turn:example.org:65536", ParseError::BadPort},
             Case{"turn:example.org:+1", ParseError::BadPort},
             Case{"turn:example.org:1x", ParseError::BadPort},
             Case{"turn:example.org?", ParseError::BadQuery},
             Case{"turn:example.org?transport=", ParseError::BadQuery},
             Case{"turn:example.org?proto=udp", ParseError::BadQuery},
             Case{"turn:example.org?transport=sctp", ParseError::UnknownTransport},
             Case{"turn:example.org?transport=udp&a=b", ParseError::UnknownTransport},
             Case{"turn:" + std::string(256, 'a'), ParseError::BadHost},
             Case{"turn:" + std::string(296, 'a'), ParseError::TooLong},
         }) {
        CAPTURE(each.text);
        const auto uri = TurnUri::parse(each.text);
        REQUIRE_FALSE(uri);
        CHECK(uri.error() == each.error);
        CHECK_FALSE(to_string(uri.error()).empty());
    }
    CHECK(TurnUri::parse("turn:" + std::string(255, 'a')));
}

TEST_CASE("turn uri: scheme and transport name the protocol under TURN") {
    CHECK(transport_of(Turn, Udp) == ClientTransport::Udp);
    CHECK(transport_of(Turn, Tcp) == ClientTransport::Tcp);
    CHECK(transport_of(Turns, Udp) == ClientTransport::Dtls);
    CHECK(transport_of(Turns, Tcp) == ClientTransport::Tls);
}

}  // namespace
}  // namespace stile::turn
