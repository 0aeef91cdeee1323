// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/limits.hpp>
#include <stile/sip/uri.hpp>

#include <ostream>
#include <string>

namespace stile::sip {
namespace {

Uri uri(std::string_view text) {
    auto parsed = Uri::parse(text);
    REQUIRE_MESSAGE(parsed.has_value(), text);
    return *std::move(parsed);
}

TEST_CASE("sip uri: the parts of RFC 3261 Section 19.1.3's examples") {
    const Uri full = uri("sip:alice:secretword@atlanta.com;transport=tcp");
    CHECK(full.user == "alice");
    CHECK(full.password == "secretword");
    CHECK(full.host.text() == "atlanta.com");
    CHECK(full.transport() == "tcp");
    const Uri headers = uri("sips:alice@atlanta.com?subject=project%20x&priority=urgent");
    CHECK(headers.scheme == Scheme::Sips);
    CHECK(headers.headers == "subject=project%20x&priority=urgent");
    const Uri phone = uri("sip:+1-212-555-1212:1234@gateway.com;user=phone");
    CHECK(phone.user == "+1-212-555-1212");
    CHECK(phone.password == "1234");
    const Uri method = uri("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com");
    CHECK_FALSE(method.user);
    CHECK(method.parameters.value("METHOD") == "REGISTER");
    CHECK(uri("sip:alice;day=tuesday@atlanta.com").user == "alice;day=tuesday");
    const Uri six = uri("sip:a@[2001:db8::1]:5061;lr");
    CHECK(six.host.address() == IpAddress::parse("2001:db8::1"));
    CHECK(six.port == Port{5061});
    CHECK(six.is_loose_route());
}

TEST_CASE("sip uri: what RFC 3261 Section 19.1.4 calls equivalent") {
    const auto rows = {
        std::pair{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"},
        std::pair{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"},
        std::pair{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"},
        std::pair{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                  "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"},
        std::pair{"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                  "sip:alice@atlanta.com?priority=urgent&subject=project%20x"},
        std::pair{"sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"},
        std::pair{"tel:+1-201-555-0123", "tel:+1(201)5550123"},
    };
    for (const auto& [left, right] : rows) {
        CAPTURE(left);
        CAPTURE(right);
        CHECK(uri(left) == uri(right));
        CHECK(uri(right) == uri(left));
    }
}

TEST_CASE("sip uri: what RFC 3261 Section 19.1.4 calls different") {
    const auto rows = {
        std::pair{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"},
        std::pair{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"},
        std::pair{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"},
        std::pair{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"},
        std::pair{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"},
        std::pair{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"},
        std::pair{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"},
        std::pair{"sip:a@b", "sips:a@b"},
        std::pair{"sip:a@b;maddr=192.0.2.1", "sip:a@b"},
        std::pair{"sip:a:x@b", "sip:a@b"},
        std::pair{"sip:a%40c@b", "sip:a%41c@b"},
        std::pair{"sip:a?x=1@b", "sip:a%3Fx=1@b"},
        std::pair{"tel:+12015550123", "tel:+12015550123;phone-context=a.example"},
    };
    for (const auto& [left, right] : rows) {
        CAPTURE(left);
        CAPTURE(right);
        CHECK_FALSE(uri(left) == uri(right));
        CHECK_FALSE(uri(right) == uri(left));
    }
}

TEST_CASE("sip uri: malformed texts are refused with their reason") {
    struct Row {
        std::string_view text;
        ParseError error;
    };
    const std::vector<Row> rows{
        {"", ParseError::BadUri},
        {"sip", ParseError::BadUri},
        {"sip:", ParseError::BadUri},
        {":alice@b", ParseError::BadUri},
        {"sip:@b", ParseError::BadUri},
        {"sip:a b@c", ParseError::BadUri},
        {"sip:a@b@c", ParseError::BadHost},
        {"sip:a%4@b", ParseError::BadEscape},
        {"sip:a%zz@b", ParseError::BadEscape},
        {"sip:a@", ParseError::BadHost},
        {"sip:a@b..c", ParseError::BadHost},
        {"sip:a@[::1", ParseError::BadHost},
        {"sip:a@[192.0.2.1]", ParseError::BadHost},
        {"sip:a@[::1]x", ParseError::BadHost},
        {"sip:a@300.0.2.1", ParseError::BadHost},
        {"sip:2001:db8::10", ParseError::BadHost},
        {"sip:a@b:", ParseError::BadPort},
        {"sip:a@b:65536", ParseError::BadPort},
        {"sip:a@b:-1", ParseError::BadPort},
        {"sip:a@b;", ParseError::BadParameter},
        {"sip:a@b;;lr", ParseError::BadParameter},
        {"sip:a@b;lr;LR", ParseError::BadParameter},
        {"sip:a@b;p=", ParseError::BadParameter},
        {"sip:a@b;p=\"q\"", ParseError::BadParameter},
        {"sip:a@b?", ParseError::BadUri},
        {"sip:a@b?x", ParseError::BadUri},
        {"sip:a@b?x=1&", ParseError::BadUri},
        {"tel:", ParseError::BadUri},
        {"tel:+", ParseError::BadUri},
        {"tel:1x", ParseError::BadUri},
        {"http://a b", ParseError::BadUri},
        {"1http://a", ParseError::BadUri},
        {"sip:a@b\r\nEvil: x", ParseError::BadHost},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto parsed = Uri::parse(row.text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error() == row.error);
    }
}

TEST_CASE("sip uri: other schemes are kept as they are") {
    for (const std::string_view text :
         {"urn:service:sos", "http://www.example.com/a?b=c#d", "soap.beep://192.0.2.103:3002"}) {
        const Uri other = uri(text);
        CHECK(other.scheme == Scheme::Other);
        CHECK(other.to_string() == text);
    }
}

TEST_CASE("sip uri: an address of record is a key") {
    CHECK(address_of_record(uri("SIP:Alice:pw@Example.ORG;transport=tcp?x=1")) ==
          "sip:Alice@example.org");
    CHECK(address_of_record(uri("sip:%61l%49ce@example.org")) == "sip:alIce@example.org");
    // An escaped reserved character names somebody else than the bare one.
    CHECK(address_of_record(uri("sip:a%3bb@example.org")) == "sip:a%3Bb@example.org");
    CHECK(address_of_record(uri("sip:a;b@example.org")) == "sip:a;b@example.org");
    CHECK(address_of_record(uri("sip:a@[2001:DB8::0:1]:5070")) == "sip:a@[2001:db8::1]:5070");
    CHECK(address_of_record(uri("tel:+1-201-555")) == "tel:+1201555");
}

TEST_CASE("sip uri: escaping is undone by unescaping") {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    for (const std::string& escaped :
         {escape_user(all), escape_parameter(all), escape_header(all)}) {
        CHECK(unescape(escaped) == all);
    }
    CHECK(uri("sip:" + escape_user(all) + "@h;p=" + escape_parameter(all) +
              "?n=" + escape_header(all))
              .user == escape_user(all));
    CHECK(unescape("%") == "%");
    CHECK(unescape("%4") == "%4");
    CHECK(unescape("%zz") == "%zz");
}

TEST_CASE("sip parameters: as many as the limit, not one more") {
    std::string text;
    for (std::size_t i = 0; i < most_parameters; ++i) text += ";p" + std::to_string(i);
    CHECK(Parameters::parse(text, ParameterSyntax::Uri)->count() == most_parameters);
    CHECK(Parameters::parse(text + ";x", ParameterSyntax::Uri).error() ==
          ParseError::TooManyParameters);
}

TEST_CASE("sip parameters: white space goes, quotes stay, changes keep the order") {
    auto parsed = Parameters::parse(" ; a = 1 ; b=\"x;,=\\\"y\" ;C ", ParameterSyntax::Header);
    REQUIRE(parsed);
    CHECK(parsed->text() == ";a=1;b=\"x;,=\\\"y\";C");
    CHECK(parsed->value("B") == "\"x;,=\\\"y\"");
    CHECK(parsed->unquoted("b") == "x;,=\"y");
    CHECK(parsed->contains("c"));
    CHECK_FALSE(parsed->value("c"));
    parsed->set("b", "2");
    parsed->set("d", "3");
    parsed->set_flag("a");
    CHECK(parsed->text() == ";a;b=2;C;d=3");
    parsed->remove("c");
    parsed->remove("nothing");
    CHECK(parsed->text() == ";a;b=2;d=3");
    CHECK(parsed->count() == 3);
}

TEST_CASE("sip host: names and addresses") {
    CHECK(Host::parse("Example.org.")->is_name());
    CHECK(*Host::parse("Example.org") == *Host::parse("example.ORG"));
    CHECK_FALSE(*Host::parse("example.org") == *Host::parse("example.net"));
    CHECK(Host::parse("under_score-1")->is_name());
    CHECK(Host::parse("192.0.2.1")->address() == IpAddress::v4({192, 0, 2, 1}));
    CHECK(Host{*IpAddress::parse("2001:db8::1")}.text() == "[2001:db8::1]");
    CHECK(Host::parse(std::string(255, 'a')));
    CHECK_FALSE(Host::parse(std::string(256, 'a')));
    for (const std::string_view bad : {"", ".", ".a", "a b", "[::1", "::1", "1.2.3", "a/b", "é"}) {
        CAPTURE(bad);
        CHECK_FALSE(Host::parse(bad));
    }
}

}  // namespace
}  // namespace stile::sip
