// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/identity/address.hpp>
#include <stile/identity/limits.hpp>

namespace stile::identity {
namespace {

TEST_CASE("address: spellings of one address give one text") {
    for (const char* text :
         {"alice@example.org", "sip:alice@example.org", "sips:alice@EXAMPLE.org",
          "SIP:alice@example.org.", "sip:alice:secret@example.org:5061;transport=tls?subject=x",
          "sip:%61lice@example.org", "sip:%41LICE@example.org"}) {
        CAPTURE(text);
        const auto address = Address::parse(text);
        REQUIRE(address);
        CHECK(address->text() == "alice@example.org");
        CHECK(address->sip_uri() == "sip:alice@example.org");
    }
}

TEST_CASE("address: the user keeps its needed escapes") {
    CHECK(Address::parse("sip:a%20b%2f@example.org")->text() == "a%20b%2F@example.org");
    CHECK(Address::parse("sip:+17005551212;phone-context=x@example.org")->text() ==
          "+17005551212;phone-context=x@example.org");
}

TEST_CASE("address: hosts that are numbers") {
    CHECK(Address::parse("a@192.0.2.1:5060")->text() == "a@192.0.2.1");
    CHECK(Address::parse("a@[2001:DB8::1]:5060;lr")->text() == "a@[2001:db8::1]");
}

TEST_CASE("address: what is not one, and why") {
    for (const char* text : {"", "alice", "@example.org", "alice@", "sip:@x", "a b@example.org",
                             "a%@example.org", "a%4@example.org", "a%zz@example.org", "a@b c",
                             "a@[::1", "a@[::1 ]", "a@b@c", "a\"b@example.org"}) {
        CAPTURE(text);
        CHECK(Address::parse(text).error() == AddressError::Malformed);
    }
    CHECK(Address::parse("sip:anonymous@anonymous.invalid").error() == AddressError::Anonymous);
    CHECK(Address::parse("x@INVALID").error() == AddressError::Anonymous);
    CHECK(Address::parse("x@notinvalid").has_value());
}

TEST_CASE("address: length at the limit and one past it") {
    const std::string domain = "@example.org";
    CHECK(Address::parse(std::string(most_address_octets - domain.size(), 'a') + domain));
    CHECK(Address::parse(std::string(most_address_octets - domain.size() + 1, 'a') + domain)
              .error() == AddressError::TooLong);
}

}  // namespace
}  // namespace stile::identity
