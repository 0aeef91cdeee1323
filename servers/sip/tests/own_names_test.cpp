// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip_server/routing.hpp>

namespace stile::sip_server {
namespace {

TEST_CASE("sip own names: an absent port is the usual one of the scheme and transport") {
    const sip::Host host{IpAddress::v4({203, 0, 113, 10})};
    const OwnNames usual{
        .domains = {"example.org"},
        .addresses = {{.host = host, .port = Port{5060}}, {.host = host, .port = Port{5061}}}};
    const OwnNames plain{.domains = {}, .addresses = {{.host = host, .port = Port{5060}}}};
    const OwnNames elsewhere{.domains = {}, .addresses = {{.host = host, .port = Port{15060}}}};
    struct Row {
        std::string_view uri;
        bool usual;
        bool plain;
        bool elsewhere;
    };
    for (const Row& row : {
             Row{"sip:203.0.113.10", true, true, false},
             Row{"sip:203.0.113.10;transport=udp;lr", true, true, false},
             Row{"sip:203.0.113.10;transport=TCP;lr", true, true, false},
             Row{"sip:203.0.113.10:5060;lr", true, true, false},
             Row{"sip:203.0.113.10;transport=tls;lr", true, false, false},
             Row{"sips:203.0.113.10;lr", true, false, false},
             Row{"sips:203.0.113.10;transport=tcp", true, false, false},
             Row{"sip:203.0.113.10;transport=wss", false, false, false},
             Row{"sip:203.0.113.10:15060", false, false, true},
             Row{"sip:203.0.113.11", false, false, false},
             Row{"sip:example.org:9999", true, false, false},
             Row{"sip:Example.Org.", true, false, false},
             Row{"tel:5060", false, false, false},
         }) {
        CAPTURE(row.uri);
        const auto uri = sip::Uri::parse(row.uri);
        REQUIRE(uri);
        CHECK(usual.is_own(*uri) == row.usual);
        CHECK(plain.is_own(*uri) == row.plain);
        CHECK(elsewhere.is_own(*uri) == row.elsewhere);
    }
}

}  // namespace
}  // namespace stile::sip_server
