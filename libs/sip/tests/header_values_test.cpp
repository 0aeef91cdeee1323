// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/contact.hpp>
#include <stile/sip/cseq.hpp>
#include <stile/sip/header_values.hpp>
#include <stile/sip/via.hpp>

#include <string>

namespace stile::sip {
namespace {

using namespace std::chrono;

Via via(std::string_view text) {
    auto parsed = Via::parse(text);
    REQUIRE_MESSAGE(parsed.has_value(), text);
    return *std::move(parsed);
}

TEST_CASE("sip via: its parts, and written again") {
    const Via one =
        via("SIP / 2.0 / UDP first.example.com : 4000;ttl=16 ;maddr=224.2.0.1 "
            ";branch=z9hG4bKa7c6a8dlze.1");
    CHECK(one.to_string() ==
          "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1");
    CHECK(one.ttl() == 16);
    CHECK(one.maddr() == "224.2.0.1");
    CHECK(one.sent_by.port == Port{4000});
    CHECK(one.transport_kind() == TransportKind::Udp);
    CHECK(one.has_rfc3261_branch());
    CHECK_FALSE(via("SIP/2.0/UDP h;branch=z9hG4bK").has_rfc3261_branch());
    CHECK_FALSE(via("SIP/2.0/UDP h;branch=1").has_rfc3261_branch());
    CHECK_FALSE(via("SIP/2.0/UDP h;branch").branch());
    CHECK(via("SIP/2.0/wss h;alias").has_alias());
    CHECK(via("SIP/2.0/wss h").transport_kind() == TransportKind::Wss);
    CHECK_FALSE(via("SIP/2.0/UDP h").rport());
    CHECK(via("SIP/2.0/UDP h;rport").rport());
    CHECK_FALSE(via("SIP/2.0/UDP h;rport").rport()->port);
    CHECK(via("SIP/2.0/UDP h;rport=9").rport()->port == Port{9});
}

TEST_CASE("sip via: malformed values are refused") {
    struct Row {
        std::string_view text;
        ParseError error;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"", ParseError::BadVia},
             {"SIP/2.0 h", ParseError::BadVia},
             {"SIP/2.0/UDP", ParseError::BadVia},
             {"SIP/2.0/UDPh", ParseError::BadVia},
             {"/2.0/UDP h", ParseError::BadVia},
             {"SIP/2.0/UDP ", ParseError::BadHost},
             {"SIP/2.0/UDP ::1", ParseError::BadHost},
             {"SIP/2.0/UDP h:", ParseError::BadPort},
             {"SIP/2.0/UDP h:70000", ParseError::BadPort},
             {"SIP/2.0/UDP h x", ParseError::BadVia},
             {"SIP/2.0/UDP h;;", ParseError::BadParameter},
             {"SIP/2.0/UDP h;a=\"b", ParseError::BadQuotedString},
         }) {
        CAPTURE(row.text);
        const auto parsed = Via::parse(row.text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == row.error);
    }
}

TEST_CASE("sip via: the source is marked as RFC 3261 18.2.1 and RFC 3581 ask") {
    const auto marked = [](std::string_view text, std::string_view source) {
        Via value = via(text);
        mark_source(value, *SocketAddress::parse(source));
        return value.to_string();
    };
    CHECK(marked("SIP/2.0/UDP bobspc.biloxi.com:5060", "192.0.2.4:5060") ==
          "SIP/2.0/UDP bobspc.biloxi.com:5060;received=192.0.2.4");
    CHECK(marked("SIP/2.0/UDP 192.0.2.4:5060", "192.0.2.4:9") == "SIP/2.0/UDP 192.0.2.4:5060");
    CHECK(marked("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff", "192.0.2.1:9988") ==
          "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.1");
    CHECK(marked("SIP/2.0/UDP 192.0.2.4;rport", "192.0.2.4:7") ==
          "SIP/2.0/UDP 192.0.2.4;rport=7;received=192.0.2.4");
    CHECK(marked("SIP/2.0/UDP [2001:DB8::0:1]", "[2001:db8::1]:5060") ==
          "SIP/2.0/UDP [2001:DB8::0:1]");
    CHECK(marked("SIP/2.0/UDP h", "[2001:db8::1]:5060") == "SIP/2.0/UDP h;received=2001:db8::1");
    // What the sender claims of itself does not stay.
    CHECK(marked("SIP/2.0/UDP 192.0.2.4;received=203.0.113.9", "192.0.2.4:5060") ==
          "SIP/2.0/UDP 192.0.2.4");
}

TEST_CASE("sip via: where a response goes") {
    const auto destination = [](std::string_view text) {
        return response_destination(via(text)).to_string();
    };
    CHECK(destination("SIP/2.0/UDP h") == "h");
    CHECK(destination("SIP/2.0/UDP h:5070") == "h:5070");
    CHECK(destination("SIP/2.0/UDP h:5070;received=192.0.2.1") == "192.0.2.1:5070");
    CHECK(destination("SIP/2.0/UDP h:5070;received=192.0.2.1;rport=9") == "192.0.2.1:9");
    CHECK(destination("SIP/2.0/UDP h;received=[2001:db8::1];rport=9") == "[2001:db8::1]:9");
    CHECK(destination("SIP/2.0/UDP h:5070;maddr=192.0.2.9;received=192.0.2.1") == "192.0.2.9:5070");
}

TEST_CASE("sip name-addr: both forms, quotes and parameters") {
    const auto quoted = NameAddr::parse(
        "\"A. G. \\\"Bell\\\"\" <sip:agb@bell-telephone.com> "
        ";tag=a48s");
    REQUIRE(quoted);
    CHECK(quoted->display_name == "A. G. \"Bell\"");
    CHECK(quoted->tag() == "a48s");
    CHECK(quoted->to_string() == "\"A. G. \\\"Bell\\\"\" <sip:agb@bell-telephone.com>;tag=a48s");
    CHECK(NameAddr::parse("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8")->display_name ==
          "Anonymous");
    const auto bare = NameAddr::parse("sip:+12125551212@server.phone2net.com;tag=887s");
    CHECK(bare->tag() == "887s");
    CHECK(bare->uri.parameters.empty());
    CHECK(NameAddr::parse("<sip:a@b;lr>;c=d")->uri.is_loose_route());
    CHECK(NameAddr::parse("caller<sip:a@b>")->display_name == "caller");
    CHECK(NameAddr::parse("sip:a@b;x=\"<y>\"")->parameters.unquoted("x") == "<y>");
    CHECK(NameAddr::parse("\"<sip:evil@h>\" <sip:a@b>")->uri.user == "a");
}

TEST_CASE("sip name-addr: malformed values are refused") {
    struct Row {
        std::string_view text;
        ParseError error;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"", ParseError::BadUri},
             {"<sip:a@b", ParseError::BadNameAddr},
             {"\"x <sip:a@b>", ParseError::BadQuotedString},
             {"\"x\"", ParseError::BadQuotedString},
             {"\"x\" y <sip:a@b>", ParseError::BadNameAddr},
             {"x, y <sip:a@b>", ParseError::BadNameAddr},
             {"sip:a@b?x=y", ParseError::BadNameAddr},
             {"sip:a,b@c", ParseError::BadNameAddr},
             {"< sip:a@b >", ParseError::BadUri},
             {"<sip:a@b> x", ParseError::BadParameter},
             {"<sip:a@b>;tag=1;TAG=2", ParseError::BadParameter},
             {"<sip:a@b> <sip:c@d>", ParseError::BadParameter},
         }) {
        CAPTURE(row.text);
        const auto parsed = NameAddr::parse(row.text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == row.error);
    }
    CHECK_FALSE(NameAddr::parse("sip:a@b", AddressForm::NameAddr));
    // Well formed, but no tag.
    CHECK_FALSE(NameAddr::parse("<sip:a@b>;tag")->tag());
}

TEST_CASE("sip contact: what a registration says") {
    const auto contact = Contact::parse(
        "<sip:line1@192.0.2.2;transport=tcp>; reg-id=1;q=0.5;expires=3600;"
        "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"");
    REQUIRE(contact);
    CHECK(contact->q() == QValue{500});
    CHECK(contact->expires_seconds() == 3600);
    CHECK(contact->reg_id() == 1);
    CHECK(contact->instance() == "urn:uuid:00000000-0000-1000-8000-000A95A0E128");
    const auto odd = Contact::parse("<sip:a@b>;q=2;expires=soon;reg-id=0;+sip.instance=\"x\"");
    REQUIRE(odd);
    CHECK_FALSE(odd->q());
    CHECK_FALSE(odd->expires_seconds());
    CHECK_FALSE(odd->reg_id());
    CHECK_FALSE(odd->instance());
    CHECK(Contact::parse("<sip:a@b>;expires=280297596632815")->expires_seconds() == 0xFFFFFFFF);
}

TEST_CASE("sip q value: three digits, at most one") {
    CHECK(QValue::parse("0.75") == QValue{750});
    CHECK(QValue::parse("1.000") == QValue{1000});
    CHECK(QValue::parse("0") == QValue{0});
    CHECK(QValue::parse("0.") == QValue{0});
    for (const std::string_view bad : {"", "1.001", "2", "0.1234", ".5", "0,5", "-0", "0.x"}) {
        CAPTURE(bad);
        CHECK_FALSE(QValue::parse(bad));
    }
    for (std::uint16_t i = 0; i <= 1000; ++i) {
        CHECK(QValue::parse(QValue{i}.to_string()) == QValue{i});
    }
}

TEST_CASE("sip cseq: numbers up to 2^31 - 1") {
    CHECK(CSeq::parse("4711 INVITE") ==
          CSeq{.number = 4711, .method = Method::Invite, .extension = ""});
    CHECK(CSeq::parse("0009 \t NEWMETHOD")->method_text() == "NEWMETHOD");
    CHECK(CSeq::parse("2147483647 ACK")->number == most_cseq);
    CHECK(CSeq::parse("2147483648 ACK").error() == ParseError::BadNumber);
    CHECK(CSeq::parse("x ACK").error() == ParseError::BadNumber);
    CHECK(CSeq::parse("-1 ACK").error() == ParseError::BadNumber);
    CHECK(CSeq::parse("1").error() == ParseError::BadMethod);
    CHECK(CSeq::parse("1 ").error() == ParseError::BadMethod);
    CHECK(CSeq::parse("1 A B").error() == ParseError::BadMethod);
    CHECK(CSeq::parse("1INVITE").error() == ParseError::BadMethod);
}

TEST_CASE("sip date: RFC 3261 Section 20.17") {
    constexpr WallTime time = sys_days{2010y / November / 13} + 23h + 29min;
    CHECK(parse_date("Sat, 13 Nov 2010 23:29:00 GMT") == time);
    CHECK(date_text(time) == "Sat, 13 Nov 2010 23:29:00 GMT");
    for (const std::string_view bad :
         {"", "Sat, 13 Nov 2010 23:29:00 EST", "Sat, 31 Feb 2010 23:29:00 GMT",
          "Sat, 13 Nov 2010 24:29:00 GMT", "13 Nov 2010 23:29:00 GMT",
          "Sat, 13 Nix 2010 23:29:00 GMT", "Sat, +3 Nov 2010 23:29:00 GMT"}) {
        CAPTURE(bad);
        CHECK(parse_date(bad).error() == ParseError::BadDate);
    }
}

TEST_CASE("sip header values: retry-after, reason, media type, rack") {
    CHECK(RetryAfter::parse("18000;duration=3600")->duration_seconds == 3600);
    const auto retry = RetryAfter::parse("120 (I'm in a meeting)");
    CHECK(retry->seconds == 120);
    CHECK(retry->comment == "I'm in a meeting");
    CHECK(retry->to_string() == "120 (I'm in a meeting)");
    CHECK_FALSE(RetryAfter::parse("949302838503028349304023988"));
    CHECK_FALSE(RetryAfter::parse("soon"));
    CHECK_FALSE(RetryAfter::parse("1 (x"));

    const auto reason = Reason::parse("SIP ;cause=200 ;text=\"Call completed elsewhere\"");
    REQUIRE(reason);
    CHECK(reason->cause == 200);
    CHECK(reason->text == "Call completed elsewhere");
    CHECK(reason->to_string() == "SIP;cause=200;text=\"Call completed elsewhere\"");
    CHECK_FALSE(Reason::parse(";cause=1"));
    CHECK_FALSE(Reason::parse("SIP;cause=x"));

    const auto media = MediaType::parse("Text / HTML ; charset=ISO-8859-4");
    REQUIRE(media);
    CHECK(media->is("text", "html"));
    CHECK(media->to_string() == "text/html;charset=ISO-8859-4");
    CHECK_FALSE(MediaType::parse("text"));
    CHECK_FALSE(MediaType::parse("/html"));

    CHECK(RAck::parse("776656 1 INVITE") == RAck{.rseq = 776656, .cseq = 1, .method = "INVITE"});
    CHECK_FALSE(RAck::parse("776656 INVITE"));

    const auto state = TokenWithParameters::parse("terminated;reason=noresource");
    CHECK(state->token == "terminated");
    CHECK(state->parameters.value("reason") == "noresource");
}

}  // namespace
}  // namespace stile::sip
