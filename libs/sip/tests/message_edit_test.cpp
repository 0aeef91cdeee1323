// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/sip/message_builder.hpp>
#include <stile/sip/message_edit.hpp>
#include <stile/sip/validation.hpp>

#include <string>

namespace stile::sip {
namespace {

// RFC 3261 Section 24.2, F1 as a proxy sees it.
constexpr std::string_view invite =
    "INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8;rport\r\n"
    "v: SIP/2.0/TCP h2;branch=z9hG4bK2, SIP/2.0/TCP h3;branch=z9hG4bK3\r\n"
    "Max-Forwards: 70\r\n"
    "Route: <sip:p1.example.com;lr>,\r\n <sip:p2.example.com;lr>\r\n"
    "X-Odd :  kept as it is, \"here\" \r\n"
    "Record-Route: <sip:p0.example.com;lr>\r\n"
    "To: Bob <sip:bob@biloxi.com>\r\n"
    "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    "Call-ID: a84b4c76e66710\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Timestamp: 54\r\n"
    "Contact: <sip:alice@pc33.atlanta.com>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 4\r\n"
    "\r\n"
    "v=0\n";

Message parsed(std::string_view text) {
    auto message = parse_message(as_bytes(text));
    REQUIRE(message.has_value());
    return *std::move(message);
}

std::string text_of(const Message& message) { return std::string{as_text(message.wire())}; }

TEST_CASE("sip edit: without changes only the spelling of lines is made plain") {
    const Message message = parsed(invite);
    const std::string expected =
        "INVITE sip:bob@biloxi.com SIP/2.0\r\n"
        "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8;rport\r\n"
        "v: SIP/2.0/TCP h2;branch=z9hG4bK2, SIP/2.0/TCP h3;branch=z9hG4bK3\r\n"
        "Max-Forwards: 70\r\n"
        "Route: <sip:p1.example.com;lr>,   <sip:p2.example.com;lr>\r\n"
        "X-Odd: kept as it is, \"here\"\r\n";
    CHECK(text_of(MessageEdit{message}.build()).starts_with(expected));
}

TEST_CASE("sip edit: what a proxy does on the way there") {
    const Message message = parsed(invite);
    const Message forwarded =
        MessageEdit{message}
            .mark_source({IpAddress::v4({192, 0, 2, 1}), {5070}})
            .prepend_via(*Via::parse("SIP/2.0/TLS proxy.example.com;branch=z9hG4bKp"))
            .pop_route()
            .push_route(*NameAddr::parse("<sip:edge.example.com;lr>"))
            .add_record_route(*NameAddr::parse("<sip:proxy.example.com;lr>"))
            .add_path(*NameAddr::parse("<sip:path.example.com;lr>"))
            .decrement_max_forwards()
            .set_request_uri(*Uri::parse("sip:bob@192.0.2.4"))
            .build();
    CHECK(forwarded.request_uri_text() == "sip:bob@192.0.2.4");
    const auto vias = forwarded.vias().copies();
    REQUIRE(vias);
    REQUIRE(vias->size() == 4);
    CHECK((*vias)[0].branch() == "z9hG4bKp");
    CHECK((*vias)[1].to_string() ==
          "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8;rport=5070;received=192.0.2.1");
    CHECK((*vias)[3].branch() == "z9hG4bK3");
    const auto routes = forwarded.routes(HeaderName::Route).copies();
    REQUIRE(routes->size() == 2);
    CHECK(routes->at(0).uri.host.text() == "edge.example.com");
    CHECK(routes->at(1).uri.host.text() == "p2.example.com");
    CHECK(forwarded.routes(HeaderName::RecordRoute).copies()->at(0).uri.host.text() ==
          "proxy.example.com");
    CHECK(forwarded.routes(HeaderName::Path).copies()->size() == 1);
    CHECK(forwarded.max_forwards() == 69);
    CHECK(forwarded.find("x-odd") == "kept as it is, \"here\"");
    CHECK(forwarded.body_text() == "v=0\n");
    CHECK(validate_request(forwarded));
}

TEST_CASE("sip edit: what a proxy does on the way back") {
    const Message response = make_response(parsed(invite), status::Ok).build();
    REQUIRE(response.vias().copies()->size() == 3);
    const Message second = MessageEdit{response}.remove_top_via().build();
    CHECK(second.vias().copies()->size() == 2);
    const Message third = MessageEdit{second}.remove_top_via().build();
    CHECK(third.top_via()->branch() == "z9hG4bK3");
    const Message none = MessageEdit{third}.remove_top_via().remove_top_via().build();
    CHECK(none.count(HeaderName::Via) == 0);
    CHECK(none.status() == status::Ok);
}

TEST_CASE("sip edit: values leave lists at either end, empty elements with them") {
    const auto edited = [](std::string_view routes, auto change) {
        const Message message = parsed("OPTIONS sip:a SIP/2.0\r\n" + std::string{routes} + "\r\n");
        MessageEdit edit{message};
        change(edit);
        std::string left;
        const Message after = edit.build();
        for (const auto value : after.values(HeaderName::Route)) left += std::string{value} + " ";
        return left + std::to_string(after.count(HeaderName::Route));
    };
    const auto first = [](MessageEdit& edit) { edit.remove_first_value(HeaderName::Route); };
    const auto last = [](MessageEdit& edit) { edit.remove_last_value(HeaderName::Route); };
    const auto change = [](MessageEdit& edit) {
        edit.replace_first_value(HeaderName::Route, "<z>");
    };
    CHECK(edited("Route: <a>, <b>\r\nRoute: <c>\r\n", first) == "<b> <c> 2");
    CHECK(edited("Route: <a>\r\nRoute: <c>\r\n", first) == "<c> 1");
    CHECK(edited("Route: ,, <a> ,\r\nRoute: <c>\r\n", first) == "<c> 1");
    CHECK(edited("Route: ,\r\nRoute: <c>, <d>\r\n", first) == "<d> 1");
    CHECK(edited("Route: <a,1>;p=\"x,y\", <b>\r\n", first) == "<b> 1");
    CHECK(edited("", first) == "0");
    CHECK(edited("Route: <a>, <b>\r\nRoute: <c>\r\n", last) == "<a> <b> 1");
    CHECK(edited("Route: <a>, <b,c> ,,\r\nRoute: , ,\r\n", last) == "<a> 1");
    CHECK(edited("Route: <a>\r\n", last) == "0");
    CHECK(edited("", last) == "0");
    CHECK(edited("Route: , <a>, <b>\r\nRoute: <c>\r\n", change) == "<z> <b> <c> 2");
    CHECK(edited("", change) == "0");
}

TEST_CASE("sip edit: lines are removed in whatever way they are spelled") {
    // The parser and the editor are one: a space before the colon hides nothing (CVE-2020-28361).
    const Message message = parsed(
        "OPTIONS sip:a SIP/2.0\r\n"
        "P-Asserted-Identity : <sip:evil@h>\r\n"
        "p-asserted-identity\t:\r\n <sip:evil@h>\r\n"
        "X-Trust : yes\r\n"
        "x-TRUST: yes\r\n"
        "Subject: s\r\n\r\n");
    const Message clean =
        MessageEdit{message}.remove(HeaderName::PAssertedIdentity).remove("X-Trust").build();
    CHECK(clean.header_count() == 2);
    CHECK(clean.find(HeaderName::Subject) == "s");
    CHECK(clean.find(HeaderName::ContentLength) == "0");
    CHECK(MessageEdit{message}.remove("p-Asserted-Identity").build().header_count() == 4);
}

TEST_CASE("sip edit: no value carries a header field with it") {
    const Message message = parsed(invite);
    const Message changed = MessageEdit{message}
                                .append(HeaderName::Subject, "a\r\nEvil: 1")
                                .append("X-Note", "b\nEvil: 2\rEvil: 3")
                                .replace(HeaderName::Timestamp, "1\r\n\r\nbody")
                                .build();
    CHECK_FALSE(changed.find("Evil"));
    CHECK(changed.find("X-Note") == "b Evil: 2 Evil: 3");
    const Message built =
        MessageBuilder::response(status::Ok, "fine\r\nEvil: 1").add("X", "y\r\nEvil: 2").build();
    CHECK_FALSE(built.find("Evil"));
}

TEST_CASE("sip edit: replace leaves one line, in the first one's place") {
    const Message message =
        parsed("OPTIONS sip:a SIP/2.0\r\nX: 1\r\nk: a\r\nSupported: b\r\nZ: 2\r\n\r\n");
    const Message changed = MessageEdit{message}.replace(HeaderName::Supported, "c").build();
    CHECK(changed.count(HeaderName::Supported) == 1);
    CHECK(changed.header(1).value == "c");
    const Message added = MessageEdit{message}.replace(HeaderName::Require, "d").build();
    CHECK(added.find(HeaderName::Require) == "d");
}

TEST_CASE("sip edit: a body and its length go together") {
    const Message message = parsed(invite);
    const Message longer =
        MessageEdit{message}.set_body("text/plain", as_bytes("hello world")).build();
    CHECK(longer.body_text() == "hello world");
    CHECK(longer.find(HeaderName::ContentLength) == "11");
    CHECK(longer.content_type()->is("text", "plain"));
    const Message empty = MessageEdit{message}.set_body("", {}).build();
    CHECK(empty.find(HeaderName::ContentLength) == "0");
    CHECK_FALSE(empty.contains(HeaderName::ContentType));
}

TEST_CASE("sip edit: Max-Forwards is given to who has none") {
    const Message message = parsed("OPTIONS sip:a SIP/2.0\r\n\r\n");
    CHECK(MessageEdit{message}.decrement_max_forwards().build().max_forwards() == 70);
}

TEST_CASE("sip edit: a message of the largest size can grow") {
    const std::string head = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n";
    const Message message =
        parsed(head + std::string(ParseLimits{}.message_octets - head.size(), 'x'));
    CHECK(MessageEdit{message}
              .prepend(HeaderName::Via, "SIP/2.0/UDP i")
              .build()
              .vias()
              .copies()
              ->size() == 2);
}

TEST_CASE("sip response: bears what RFC 3261 Section 8.2.6 asks for") {
    const Message request = parsed(invite);
    const Message trying = make_response(request, status::Trying).build();
    CHECK(trying.reason() == "Trying");
    CHECK(trying.find(HeaderName::Timestamp) == "54");
    CHECK_FALSE(trying.to()->tag());
    CHECK_FALSE(trying.contains(HeaderName::RecordRoute));
    CHECK(validate_response(trying));
    const Message ok = make_response(request, status::Ok,
                                     {.to_tag = "a6c85cf", .record_routes = RecordRoutes::Copy})
                           .build();
    CHECK(ok.vias().copies() == request.vias().copies());
    CHECK(ok.to()->tag() == "a6c85cf");
    CHECK(ok.to()->display_name == "Bob");
    CHECK(ok.find(HeaderName::From) == request.find(HeaderName::From));
    CHECK(ok.call_id() == request.call_id());
    CHECK(ok.cseq() == request.cseq());
    CHECK(ok.routes(HeaderName::RecordRoute).copies() ==
          request.routes(HeaderName::RecordRoute).copies());
    CHECK_FALSE(ok.contains(HeaderName::Timestamp));
    CHECK(ok.find(HeaderName::ContentLength) == "0");
}

TEST_CASE("sip response: a tag is added once") {
    std::string text{invite};
    text.replace(text.find("To: Bob <sip:bob@biloxi.com>"), 28, "To: sip:bob@biloxi.com;tag=x");
    const Message response = make_response(parsed(text), status::Ok, {.to_tag = "y"}).build();
    CHECK(response.to()->tag() == "x");
    text.replace(text.find("To: sip:bob@biloxi.com;tag=x"), 28, "To: sip:bob@biloxi.com");
    CHECK(make_response(parsed(text), status::Ok, {.to_tag = "y"}).build().to()->tag() == "y");
}

TEST_CASE("sip validation: what a server refuses, and how") {
    struct Row {
        std::string_view from;
        std::string_view to;
        ParseError error;
        HeaderName header;
        std::uint16_t status;
    };
    const auto other = HeaderName::Other;
    for (const Row& row : std::initializer_list<Row>{
             {"SIP/2.0\r\nVia", "SIP/3.0\r\nVia", ParseError::BadVersion, other, 505},
             {"sip:bob@biloxi.com SIP", "bob SIP", ParseError::BadUri, other, 400},
             {"sip:bob@biloxi.com SIP", "x:bob SIP", ParseError::BadUri, other, 416},
             {"sip:bob@biloxi.com SIP", "sip:b?a=b SIP", ParseError::BadUri, other, 400},
             {"To: Bob", "X: Bob", ParseError::Missing, HeaderName::To, 400},
             {"From:", "X:", ParseError::Missing, HeaderName::From, 400},
             {"Call-ID:", "X:", ParseError::Missing, HeaderName::CallId, 400},
             {"CSeq:", "X:", ParseError::Missing, HeaderName::CSeq, 400},
             {"Timestamp: 54", "CSeq: 1 INVITE", ParseError::Duplicate, HeaderName::CSeq, 400},
             {"Timestamp: 54", "t: <sip:a>", ParseError::Duplicate, HeaderName::To, 400},
             {"314159 INVITE", "314159 BYE", ParseError::BadMethod, HeaderName::CSeq, 400},
             {"314159 INVITE", "314159 invite", ParseError::BadMethod, HeaderName::CSeq, 400},
             {"a84b4c76e66710", "a b", ParseError::BadToken, HeaderName::CallId, 400},
             {"a84b4c76e66710", "a@", ParseError::BadToken, HeaderName::CallId, 400},
             {"Forwards: 70", "Forwards: 256", ParseError::BadNumber, HeaderName::MaxForwards, 400},
             {"<sip:p1.example.com;lr>", "sip:p1", ParseError::BadNameAddr, HeaderName::Route, 400},
             {"pc33.atlanta.com;branch", "a..b;branch", ParseError::BadHost, HeaderName::Via, 400},
             {"<sip:alice@pc33", "<sip:alice@@pc33", ParseError::BadHost, HeaderName::Contact, 400},
         }) {
        std::string text{invite};
        const std::size_t at = text.find(row.from);
        REQUIRE(at != std::string::npos);
        text.replace(at, row.from.size(), row.to);
        CAPTURE(text);
        const auto verdict = validate_request(parsed(text));
        REQUIRE_FALSE(verdict);
        CHECK(verdict.error().error == row.error);
        CHECK(verdict.error().header == row.header);
        CHECK(verdict.error().status.code == row.status);
        CHECK_FALSE(verdict.error().reason.empty());
    }
    CHECK(validate_request(parsed(invite)));
    std::string old{invite};
    old.erase(old.find("Max-Forwards: 70\r\n"), 18);
    CHECK(validate_request(parsed(old)));
}

TEST_CASE("sip validation: an ACK is never answered") {
    std::string text{invite};
    text.replace(0, 6, "ACK");
    CHECK_FALSE(is_answerable(parsed(text)));
    CHECK(is_answerable(parsed(invite)));
}

// A message of random fields of all kinds; what is built is read back, and survives random edits.
TEST_CASE("sip message: built, parsed, edited and parsed again it says the same") {
    constexpr std::string_view alphabet = "abcXYZ019-._~ \t\"\\,;<>%=:@\r\n\x80\x01";
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        const auto any_text = [&] {
            std::string text;
            for (std::uint64_t n = random.below(40); n > 0; --n) {
                text += alphabet[random.below(alphabet.size())];
            }
            return text;
        };
        MessageBuilder builder = MessageBuilder::request(Method::Message, *Uri::parse("sip:a@b"));
        NameAddr from;
        from.display_name = any_text();
        from.uri = *Uri::parse("sip:" + escape_user("u" + any_text()) + "@h");
        from.set_tag("t" + std::to_string(random.u32()));
        builder.add(HeaderName::From, from);
        std::vector<std::string> notes;
        for (std::uint64_t n = random.below(20); n > 0; --n) {
            notes.push_back(any_text());
            builder.add("X-Note", notes.back());
        }
        const std::string body = any_text();
        const Message message = builder.body("text/plain", as_bytes(body)).build();
        CHECK(message.body_text() == body);
        CHECK(message.from()->uri == from.uri);
        CHECK(message.from()->tag() == from.tag());
        CHECK(message.header_count() == notes.size() + 3);
        MessageEdit edit{message};
        for (int n = 0; n < 5; ++n) {
            edit.prepend(HeaderName::Route, "<sip:" + std::to_string(n) + ".example.org;lr>");
        }
        const Message edited = edit.pop_route().remove_last_value(HeaderName::Route).build();
        CHECK(edited.routes(HeaderName::Route).copies()->size() == 3);
        CHECK(edited.header_count() == message.header_count() + 3);
        CHECK(edited.find(HeaderName::From) == message.find(HeaderName::From));
        CHECK(edited.body_text() == body);
    }
}

}  // namespace
}  // namespace stile::sip
