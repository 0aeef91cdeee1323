// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "rfc4475_messages.hpp"
#include "rfc5118_messages.hpp"

#include <doctest/doctest.h>
#include <stile/sip/auth.hpp>
#include <stile/sip/message_builder.hpp>
#include <stile/sip/message_edit.hpp>
#include <stile/sip/validation.hpp>

#include <algorithm>
#include <string>

namespace stile::sip {
namespace {

// What an element does with a torture message, by its section of RFC 4475.
struct Verdict {
    enum class Kind : std::uint8_t {
        Valid,      // parsed and sound
        Answered,   // refused with `status`
        Discarded,  // a response, or nothing that could be answered
    };
    Kind kind = Kind::Valid;
    Status status = {};
};

Verdict judge(std::string_view text) {
    const auto message = parse_message(as_bytes(text));
    if (!message) {
        const ParseFailure& failure = message.error();
        if (!failure.head || !is_answerable(*failure.head)) {
            return {.kind = Verdict::Kind::Discarded};
        }
        return {.kind = Verdict::Kind::Answered, .status = failure.answer};
    }
    if (message->is_response()) {
        const bool sound = validate_response(*message).has_value();
        return {.kind = sound ? Verdict::Kind::Valid : Verdict::Kind::Discarded};
    }
    const auto sound = validate_request(*message);
    if (sound) return {};
    if (!is_answerable(*message)) return {.kind = Verdict::Kind::Discarded};
    return {.kind = Verdict::Kind::Answered, .status = sound.error().status};
}

std::string_view torture(std::string_view name) {
    const auto found = std::ranges::find(rfc4475, name, &TortureMessage::name);
    REQUIRE(found != rfc4475.end());
    return found->text;
}

Message parsed(std::string_view name) {
    auto message = parse_message(as_bytes(torture(name)));
    REQUIRE_MESSAGE(message.has_value(), name);
    return *std::move(message);
}

TEST_CASE("rfc 4475: every message gets the treatment that its section asks for") {
    using enum Verdict::Kind;
    struct Row {
        std::string_view name;
        Verdict::Kind kind;
        std::uint16_t status = 0;
    };
    const std::vector<Row> rows{
        // 3.1.1 valid messages
        {"wsinv", Valid},
        {"intmeth", Valid},
        {"esc01", Valid},
        {"escnull", Valid},
        {"esc02", Valid},
        {"lwsdisp", Valid},
        {"longreq", Valid},
        {"dblreq", Valid},
        {"semiuri", Valid},
        {"transports", Valid},
        {"mpart01", Valid},
        {"unreason", Valid},
        {"noreason", Valid},
        // 3.1.2 invalid messages
        {"badinv01", Answered, 400},
        {"clerr", Answered, 400},
        {"ncl", Answered, 400},
        {"scalar02", Answered, 400},
        {"scalarlg", Discarded},
        {"quotbal", Answered, 400},
        {"ltgtruri", Answered, 400},
        {"lwsruri", Answered, 400},
        {"lwsstart", Answered, 400},
        {"trws", Answered, 400},
        {"escruri", Answered, 400},
        {"baddate", Valid},  // the date is not used: Section 3.1.2.12
        {"regbadct", Answered, 400},
        {"badaspec", Answered, 400},
        {"baddn", Answered, 400},
        {"badvers", Answered, 505},
        {"mismatch01", Answered, 400},
        {"mismatch02", Answered, 400},
        {"bigcode", Discarded},
        // 3.2 to 3.4
        {"badbranch", Valid},  // RFC 2543 matching
        {"insuf", Discarded},  // without Call-ID, From and To there is nothing to copy
        {"unkscm", Answered, 416},
        {"novelsc", Answered, 416},
        {"unksm2", Valid},
        {"bext01", Valid},  // 420 is for who knows the extensions
        {"invut", Valid},
        {"regaut01", Valid},
        {"multi01", Answered, 400},
        {"mcl01", Answered, 400},
        {"bcast", Valid},
        {"zeromf", Valid},
        {"cparam01", Valid},
        {"cparam02", Valid},
        {"regescrt", Valid},
        {"sdp01", Valid},
        {"inv2543", Valid},
    };
    CHECK(rows.size() == rfc4475.size());
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Verdict verdict = judge(torture(row.name));
        CHECK(verdict.kind == row.kind);
        CHECK(verdict.status.code == row.status);
    }
}

TEST_CASE("rfc 4475 wsinv: white space, folds and compact forms change nothing") {
    const Message message = parsed("wsinv");
    const auto uri = message.request_uri();
    REQUIRE(uri);
    CHECK(uri->parameters.contains("unknownparam"));
    CHECK(message.to()->tag() == "1918181833n");
    CHECK(message.from()->copy().display_name == "J Rosenberg \\\"");
    CHECK(message.from()->tag() == "98asjd8");
    CHECK(message.max_forwards() == 68);
    CHECK(message.cseq()->number == 9);
    CHECK(message.cseq()->method == Method::Invite);
    const auto vias = message.vias().copies();
    REQUIRE(vias);
    REQUIRE(vias->size() == 3);
    CHECK((*vias)[0].branch() == "390skdjuw");
    CHECK_FALSE((*vias)[0].has_rfc3261_branch());
    CHECK((*vias)[1].transport_kind() == TransportKind::Tcp);
    CHECK((*vias)[1].sent_by.host.text() == "spindle.example.com");
    CHECK((*vias)[2].branch() == "z9hG4bK30239");
    CHECK(message.find("NewFangledHeader") == "newfangled value   continued newfangled value");
    CHECK(message.find("UnknownHeaderWithUnusualValue") == ";;,,;;,;");
    CHECK(message.find(HeaderName::Subject) == "");
    const auto contacts = message.contacts();
    REQUIRE(contacts);
    REQUIRE(contacts->values.size() == 1);
    CHECK(contacts->values[0].copy().address.display_name == "Quoted string \"\"");
    CHECK(contacts->values[0].address.parameters.value("newparam") == "newvalue");
    CHECK(contacts->values[0].address.parameters.contains("secondparam"));
    CHECK(contacts->values[0].q() == QValue{330});
    CHECK(message.routes(HeaderName::Route).copies()->front().uri.is_loose_route());
    CHECK(message.body().size() == 150);
}

TEST_CASE("rfc 4475 intmeth: every character that the grammar allows") {
    const Message message = parsed("intmeth");
    CHECK(message.method() == Method::Other);
    CHECK(message.cseq()->method_text() == message.method_text());
    CHECK(message.to()->copy().display_name == std::string{"BEL:\a NUL:\0 DEL:\x7f", 17});
    CHECK(message.top_via()->branch() == "z9hG4bK-.!%66*_+`'~");
    CHECK(message.request_uri()->password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
    CHECK(message.from()->copy().display_name == "token1~` token2'+_ token3*%!.-");
    // NUL goes through a response as it came.
    const Message response = make_response(message, status::MethodNotAllowed).build();
    CHECK(response.find(HeaderName::To) == message.find(HeaderName::To));
}

TEST_CASE("rfc 4475 esc01, esc02, escnull: escapes are escapes in URIs only") {
    const Message escaped = parsed("esc01");
    CHECK(unescape(*escaped.request_uri()->user) == "sips:user@example.com");
    const auto contacts = escaped.contacts();
    REQUIRE(contacts);
    CHECK(contacts->values.at(0).uri().parameters.value("lr") == std::nullopt);
    const Message names = parsed("esc02");
    CHECK(names.method() == Method::Other);
    CHECK(names.count(HeaderName::Contact) == 2);  // C%6Fntact is another header field
    CHECK(names.find("c%6fntact") == "<sip:alias2@host2.example.com>");
    CHECK(names.to()->copy().display_name == "%Z%45");
    const Message null = parsed("escnull");
    const auto bindings = null.contacts();
    REQUIRE(bindings);
    REQUIRE(bindings->values.size() == 2);
    CHECK(unescape(*bindings->values[0].uri().user) == std::string{"\0", 1});
    CHECK(bindings->values[0].uri() != bindings->values[1].uri());
}

TEST_CASE("rfc 4475 dblreq: what follows the body in a datagram is not a message") {
    const Message message = parsed("dblreq");
    CHECK(message.method() == Method::Register);
    CHECK(message.body().empty());
    CHECK(message.wire().size() < torture("dblreq").size());
}

TEST_CASE("rfc 4475 semiuri: a semicolon in the user part starts no parameter") {
    const Message message = parsed("semiuri");
    CHECK(message.request_uri()->user == "user;par=u%40example.net");
    CHECK(message.request_uri()->parameters.empty());
}

TEST_CASE("rfc 4475 transports: unknown transports in lower Via values are no fault") {
    const auto vias = parsed("transports").vias().copies();
    REQUIRE(vias);
    REQUIRE(vias->size() == 5);
    CHECK_FALSE((*vias)[3].transport_kind());
    CHECK((*vias)[3].transport == "UNKNOWN");
}

TEST_CASE("rfc 4475 unreason, noreason: any reason phrase") {
    CHECK(parsed("unreason").reason().starts_with("= 2**3 * 5**2"));
    CHECK(parsed("noreason").reason().empty());
    CHECK(parsed("noreason").status() == status::Trying);
}

TEST_CASE("rfc 4475 longreq: long values survive an edit octet by octet") {
    const Message message = parsed("longreq");
    CHECK(message.vias().copies()->size() == 34);
    const Message changed = MessageEdit{message}.prepend_via(message.top_via()->copy()).build();
    CHECK(changed.vias().copies()->size() == 35);
    CHECK(changed.find(HeaderName::From) == message.find(HeaderName::From));
    CHECK(equal(changed.body(), message.body()));
}

TEST_CASE("rfc 4475 cparam01, cparam02, regescrt: parameters belong to the field or to the URI") {
    const Message of_field = parsed("cparam01");
    const auto field = of_field.contacts();
    CHECK(field->values.at(0).address.parameters.contains("unknownparam"));
    CHECK_FALSE(field->values.at(0).uri().parameters.contains("unknownparam"));
    const Message of_uri = parsed("cparam02");
    const auto uri = of_uri.contacts();
    CHECK(uri->values.at(0).uri().parameters.contains("unknownparam"));
    CHECK(uri->values.at(0).copy().to_string() ==
          "<sip:+19725552222@gw1.example.net;unknownparam>");
    const Message escaped = parsed("regescrt");
    const auto header = escaped.contacts();
    CHECK(header->values.at(0).uri().headers == "Route=%3Csip:sip.example.com%3E");
}

TEST_CASE("rfc 4475 regaut01: credentials of an unknown scheme are passed over") {
    const Message message = parsed("regaut01");
    CHECK_FALSE(credentials_for(message, HeaderName::Authorization, "example.com"));
    CHECK(MessageEdit{message}.build().find(HeaderName::Authorization) ==
          "NoOneKnowsThisScheme opaque-data=here");
}

TEST_CASE("rfc 4475 baddate: a date that is asked for is an error, not a guess") {
    CHECK(parsed("baddate").date() == std::unexpected(ParseError::BadDate));
}

TEST_CASE("rfc 4475: a 400 can be made for each message that is answered with it") {
    for (const TortureMessage& row : rfc4475) {
        CAPTURE(row.name);
        const auto message = parse_message(as_bytes(row.text));
        if (message || !message.error().head || !is_answerable(*message.error().head)) continue;
        const Message& head = *message.error().head;
        const Message response = make_response(head, message.error().answer).build();
        CHECK(response.find(HeaderName::CallId) == head.find(HeaderName::CallId));
        CHECK(response.body().empty());
    }
}

TEST_CASE("rfc 5118: IPv6 references where they may stand") {
    for (const Ipv6Message& row : rfc5118) {
        CAPTURE(row.name);
        const Verdict verdict = judge(row.text);
        if (row.name == "ipv6-bad") {
            CHECK(verdict.kind == Verdict::Kind::Answered);
            CHECK(verdict.status == status::BadRequest);
        } else {
            CHECK(verdict.kind == Verdict::Kind::Valid);
        }
    }
    const auto message = [](std::string_view text) { return *parse_message(as_bytes(text)); };
    CHECK_FALSE(message(rfc5118_port_ambiguous).request_uri()->port);
    CHECK(message(rfc5118_port_unambiguous).request_uri()->port == Port{5070});
    const auto seen = IpAddress::parse("2001:db8::9:255");
    CHECK(message(rfc5118_via_received_param_with_delim).top_via()->received() == seen);
    CHECK(message(rfc5118_via_received_param_no_delim).top_via()->received() == seen);
    CHECK(message(rfc5118_mult_ip_in_header).vias().copies()->at(2).received() ==
          IpAddress::v4({192, 0, 2, 200}));
    CHECK(message(rfc5118_ipv4_mapped_ipv6).top_via()->sent_by.port == Port{19823});
    // Section 4.10: the extra colon is not written again.
    CHECK(message(rfc5118_ipv6_bug_abnf_3_colons).request_uri()->to_string() ==
          "sip:user@[2001:db8::192.0.2.1]");
    CHECK(*message(rfc5118_ipv6_bug_abnf_3_colons).request_uri() ==
          *message(rfc5118_ipv6_correct_abnf_2_colons).request_uri());
}

}  // namespace
}  // namespace stile::sip
