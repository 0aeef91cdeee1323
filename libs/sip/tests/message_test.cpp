// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/text.hpp>
#include <stile/sip/message.hpp>

#include <string>
#include <utility>

namespace stile::sip {
namespace {

constexpr std::string_view base =
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
    "To: <sip:bob@example.org>\r\n"
    "From: <sip:alice@example.org>;tag=1\r\n"
    "Call-ID: c1@192.0.2.1\r\n"
    "CSeq: 1 OPTIONS\r\n";

std::string options(std::string_view more = {}, std::string_view body = {}) {
    return "OPTIONS sip:bob@example.org SIP/2.0\r\n" + std::string{base} + std::string{more} +
           "\r\n" + std::string{body};
}

std::expected<Message, ParseFailure> parse(std::string_view text, const ParseLimits& limits = {}) {
    return parse_message(as_bytes(text), limits);
}

Message good(std::string_view text) {
    auto message = parse(text);
    REQUIRE(message.has_value());
    return *std::move(message);
}

std::vector<std::string> all(const Message& message, HeaderName name) {
    std::vector<std::string> values;
    for (const std::string_view value : message.values(name)) values.emplace_back(value);
    return values;
}

TEST_CASE("sip message: a request and its fields") {
    const Message message = good(options("Max-Forwards: 70\r\n"));
    CHECK(message.is_request());
    CHECK(message.method() == Method::Options);
    CHECK(message.request_uri_text() == "sip:bob@example.org");
    CHECK(message.header_count() == 6);
    CHECK(message.find("MAX-forwards") == "70");
    CHECK(message.max_forwards() == 70);
    CHECK(message.call_id() == "c1@192.0.2.1");
    CHECK(message.expires_seconds().error() == ParseError::Missing);
}

TEST_CASE("sip message: a tag is the value's own parameter, whatever else stands there") {
    const auto tag_in = [](std::string_view to) {
        const Message message = good("ACK sip:a SIP/2.0\r\nTo: " + std::string{to} + "\r\n\r\n");
        const auto tag = message.to_tag();
        REQUIRE(tag.has_value());
        // Where the whole value is sound, it says the same.
        if (const auto value = message.to()) {
            CHECK(value->tag().value_or("none") == tag->value_or("none"));
        }
        return std::string{tag->value_or("none")};
    };
    CHECK(tag_in("<sip:bob@example.org>;tag=1") == "1");
    CHECK(tag_in("\"<;tag=2>\" <sip:bob@example.org;tag=3>;x=\";tag=4\";TAG=5") == "5");
    CHECK(tag_in("sip:bob@example.org;tag=6") == "6");
    CHECK(tag_in("sip:bob@example.org;x=\"<\";tag=7") == "7");
    CHECK(tag_in("<sip:bob@example.org;tag=8>") == "none");
    CHECK(tag_in("<unintelligible>;tag=9") == "9");
    for (const std::string_view to :
         {"\"open <sip:bob>;tag=1", "<sip:bob;tag=1", "<sip:bob>;tag="}) {
        CAPTURE(to);
        CHECK(!good("ACK sip:a SIP/2.0\r\nTo: " + std::string{to} + "\r\n\r\n").to_tag());
    }
    CHECK(!good(options()).to_tag()->has_value());
    CHECK(good("ACK sip:a SIP/2.0\r\n\r\n").from_tag().error() == ParseError::Missing);
    CHECK(good(options()).from_tag()->value() == "1");
}

TEST_CASE("sip message: lines end where they end, at any place in the blocks they are read in") {
    for (std::size_t length = 0; length < 200; ++length) {
        CAPTURE(length);
        const std::string value(length, 'x');
        const Message message =
            good(options("X-Filler: " + value + "\r\nX-Last: 1\r\n", "body\r\n\r\n"));
        CHECK(message.find("X-Filler") == value);
        CHECK(message.find("X-Last") == "1");
        CHECK(message.body_text() == "body\r\n\r\n");
        for (const std::string_view bad : {"\n", "\r", "\n\r", "\r\r\n"}) {
            const auto broken =
                parse(options("X-Filler: " + value + std::string{bad} + "Y: 1\r\n"));
            REQUIRE(!broken);
            CHECK(broken.error().error == ParseError::BadCharacter);
        }
    }
}

TEST_CASE("sip message: moving it keeps what was taken from it") {
    Message message = good(options());
    const std::string_view call_id = *message.call_id();
    const Message moved = std::move(message);
    CHECK(call_id == "c1@192.0.2.1");
    CHECK(moved.call_id()->data() == call_id.data());
}

TEST_CASE("sip message: several lines and commas are one list") {
    const Message message =
        good(options("Route: <sip:a;lr>, <sip:b,c@d;lr>\r\n"
                     "Supported: path\r\n"
                     "ROUTE: \"x, \\\"y\" <sip:e>;p=\"1,2\" ,, <sip:f>\r\n"
                     "k: gruu,outbound\r\n"
                     "Subject: one, two\r\n"
                     "Authorization: Digest a=\"b\", c=d\r\n"
                     "Authorization: Digest e=f\r\n"
                     "X-Unknown: a, b\r\n"));
    CHECK(all(message, HeaderName::Route) ==
          std::vector<std::string>{"<sip:a;lr>", "<sip:b,c@d;lr>", "\"x, \\\"y\" <sip:e>;p=\"1,2\"",
                                   "<sip:f>"});
    CHECK(message.routes(HeaderName::Route).copies()->size() == 4);
    CHECK(message.tokens(HeaderName::Supported).all() ==
          std::vector<std::string_view>{"path", "gruu", "outbound"});
    CHECK(message.lists(HeaderName::Supported, "GRUU"));
    CHECK_FALSE(message.lists(HeaderName::Supported, "timer"));
    CHECK(all(message, HeaderName::Subject) == std::vector<std::string>{"one, two"});
    CHECK(all(message, HeaderName::Authorization).size() == 2);
    CHECK(message.count(HeaderName::Route) == 2);
    CHECK(all(message, HeaderName::Path).empty());
}

TEST_CASE("sip message: folds become spaces, and only folds") {
    const Message message =
        good(options("Subject: I know\r\n you're \r\n\t there\r\nX: a\r\n", " body\r\n x"));
    CHECK(message.find(HeaderName::Subject) == "I know   you're   \t there");
    CHECK(message.find("x") == "a");
    CHECK(message.body_text() == " body\r\n x");
}

TEST_CASE("sip message: the body is what Content-Length says") {
    CHECK(good(options("Content-Length: 3\r\n", "abcdef")).body_text() == "abc");
    CHECK(good(options("l: 0\r\n", "abcdef")).body_text().empty());
    CHECK(good(options({}, "abcdef")).body_text() == "abcdef");
    CHECK(good(options("Content-Length: 003\r\n", "abc")).body_text() == "abc");
}

TEST_CASE("sip message: what is broken is named, and answered where it can be") {
    struct Row {
        std::string text;
        ParseError error;
        std::uint16_t answer;  // 0: no head
    };
    const std::string head{base};
    const std::vector<Row> rows{
        {"", ParseError::Truncated, 0},
        {"\r\n\r\n", ParseError::Truncated, 0},
        {"OPTIONS", ParseError::Truncated, 0},
        {"OPTIONS sip:a SIP/2.0\r\n", ParseError::Truncated, 400},
        {options().substr(0, options().size() - 2), ParseError::Truncated, 400},
        {options("Content-Length: 4\r\n", "abc"), ParseError::Truncated, 400},
        {options("Content-Length: 99999999\r\n", "abc"), ParseError::Truncated, 400},
        {options("Content-Length: 99999999999999999999\r\n"), ParseError::BadContentLength, 400},
        {options("Content-Length: -1\r\n"), ParseError::BadContentLength, 400},
        {options("Content-Length: five\r\n"), ParseError::BadContentLength, 400},
        {options("Content-Length:\r\n"), ParseError::BadContentLength, 400},
        {options("Content-Length: 1 2\r\n"), ParseError::BadContentLength, 400},
        {options("Content-Length: 0\r\nl : 0\r\n"), ParseError::BadContentLength, 400},
        {options("No colon\r\n"), ParseError::BadHeader, 400},
        {options(": no name\r\n"), ParseError::BadHeader, 400},
        {options("Bad Name: x\r\n"), ParseError::BadHeader, 400},
        {options("B\xC3\xA4\x64: x\r\n"), ParseError::BadHeader, 400},
        {options("Lone: a\nb: c\r\n"), ParseError::BadCharacter, 400},
        {options("Lone: a\rb: c\r\n"), ParseError::BadCharacter, 400},
        {"OPTIONS sip:a\r\n" + head + "\r\n", ParseError::BadStartLine, 400},
        {"OPTIONS sip:a HTTP/1.1\r\n" + head + "\r\n", ParseError::BadStartLine, 400},
        {"OPTIONS sip:a SIP/2\r\n" + head + "\r\n", ParseError::BadStartLine, 400},
        {"OPTIONS  sip:a SIP/2.0\r\n" + head + "\r\n", ParseError::BadStartLine, 400},
        {"OPTIONS sip:a SIP/2.0\r\n folded: x\r\n" + head + "\r\n", ParseError::BadStartLine, 400},
        {" OPTIONS sip:a SIP/2.0\r\n" + head + "\r\n", ParseError::BadStartLine, 0},
        {"OPT\"IONS sip:a SIP/2.0\r\n" + head + "\r\n", ParseError::BadStartLine, 0},
        {"SIP/2.0\r\n" + head + "\r\n", ParseError::BadStartLine, 0},
        {"SIP/2.0 20 OK\r\n" + head + "\r\n", ParseError::BadStatusCode, 0},
        {"SIP/2.0 099 OK\r\n" + head + "\r\n", ParseError::BadStatusCode, 0},
        {"SIP/2.0 700 OK\r\n" + head + "\r\n", ParseError::BadStatusCode, 0},
        {"SIP/2.0 2000 OK\r\n" + head + "\r\n", ParseError::BadStatusCode, 0},
        {"SIP/2.0 +20 OK\r\n" + head + "\r\n", ParseError::BadStatusCode, 0},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto message = parse(row.text);
        REQUIRE_FALSE(message.has_value());
        CHECK(message.error().error == row.error);
        REQUIRE(message.error().head.has_value() == (row.answer != 0));
        if (row.answer != 0) CHECK(message.error().answer.code == row.answer);
    }
}

TEST_CASE("sip message: a broken line hides no other one from the answer") {
    const auto message = parse(options("No colon\r\nSubject: still here\r\n"));
    REQUIRE_FALSE(message.has_value());
    CHECK(message.error().head->find(HeaderName::Subject) == "still here");
}

TEST_CASE("sip message: limits hold at the limit and not one past it") {
    std::string lines;
    for (int i = 0; i < 195; ++i) lines += "X: y\r\n";
    CHECK(parse(options(lines)));
    CHECK(parse(options(lines + "X: y\r\n")).error().error == ParseError::TooManyHeaders);

    const std::string name = "X: ";
    const std::size_t room = ParseLimits{}.line_octets - name.size();
    CHECK(parse(options(name + std::string(room, 'a') + "\r\n")));
    CHECK(parse(options(name + std::string(room + 1, 'a') + "\r\n")).error().error ==
          ParseError::LineTooLong);
    // A line in pieces is a line.
    CHECK(parse(options(name + std::string(room - 3, 'a') + "\r\n bb\r\n")).error().error ==
          ParseError::LineTooLong);
    const std::string long_uri =
        "OPTIONS sip:" + std::string(ParseLimits{}.line_octets, 'a') + " SIP/2.0\r\n";
    CHECK(parse(long_uri + std::string{base} + "\r\n").error().answer == status::RequestUriTooLong);

    const std::string head = options("Content-Length: 65000\r\n");
    const std::size_t fill = ParseLimits{}.message_octets - options().size();
    CHECK(parse(options({}, std::string(fill, 'b'))));
    const auto large = parse(options({}, std::string(fill + 1, 'b')));
    CHECK(large.error().error == ParseError::TooLarge);
    CHECK(large.error().answer == status::MessageTooLarge);

    CHECK(parse(options(), {.header_lines = 5}));
    CHECK(parse(options(), {.header_lines = 4}).error().error == ParseError::TooManyHeaders);
    // Nobody gets more than the library's maxima.
    CHECK(parse(options(lines + "X: y\r\n"), {.header_lines = 1000}).error().error ==
          ParseError::TooManyHeaders);

    std::string vias;
    for (std::size_t i = 1; i < most_list_values; ++i) vias += ",SIP/2.0/UDP h;branch=z9hG4bK1";
    CHECK(good(options("v: x\r\n")).vias().copies().error() == ParseError::BadVia);
    const auto with = [&](std::string_view more) {
        return good(options("Via: SIP/2.0/UDP h" + vias.substr(0, vias.size() - 31) +
                            std::string{more} + "\r\n"));
    };
    CHECK(with("").vias().copies()->size() == most_list_values);
    CHECK(with(",SIP/2.0/UDP h").vias().copies().error() == ParseError::TooManyValues);
}

TEST_CASE("sip message: header names in every form and case") {
    for (unsigned i = 0; i < std::to_underlying(HeaderName::Other); ++i) {
        const auto name = static_cast<HeaderName>(i);
        CHECK(header_name_of(header_text(name)) == name);
        std::string loud{header_text(name)};
        for (char& c : loud) c = is_alpha(c) ? static_cast<char>(c ^ 0x20) : c;
        CHECK(header_name_of(loud) == name);
        CHECK(header_name_of(loud + "x") == HeaderName::Other);
    }
    // The compact forms of the IANA registry.
    const std::pair<char, HeaderName> compact[] = {
        {'a', HeaderName::AcceptContact},
        {'b', HeaderName::ReferredBy},
        {'c', HeaderName::ContentType},
        {'d', HeaderName::RequestDisposition},
        {'e', HeaderName::ContentEncoding},
        {'f', HeaderName::From},
        {'i', HeaderName::CallId},
        {'j', HeaderName::RejectContact},
        {'k', HeaderName::Supported},
        {'l', HeaderName::ContentLength},
        {'m', HeaderName::Contact},
        {'o', HeaderName::Event},
        {'r', HeaderName::ReferTo},
        {'s', HeaderName::Subject},
        {'t', HeaderName::To},
        {'u', HeaderName::AllowEvents},
        {'v', HeaderName::Via},
        {'x', HeaderName::SessionExpires},
        {'y', HeaderName::Identity},
    };
    for (const auto& [letter, name] : compact) {
        CHECK(header_name_of(std::string(1, letter)) == name);
    }
    CHECK(header_name_of("z") == HeaderName::Other);
    CHECK(header_name_of("") == HeaderName::Other);
    CHECK(header_name_of("-") == HeaderName::Other);
}

TEST_CASE("sip message: a star stands alone") {
    CHECK(good(options("Contact: *\r\n")).contacts()->form == ContactForm::Wildcard);
    CHECK(good(options()).contacts()->values.empty());
    CHECK_FALSE(good(options("Contact: *\r\nContact: <sip:a@b>\r\n")).contacts());
    CHECK_FALSE(good(options("Contact: <sip:a@b>, *\r\n")).contacts());
}

TEST_CASE("sip message: methods are known by their exact text") {
    CHECK(method_of("INVITE") == Method::Invite);
    CHECK(method_of("invite") == Method::Other);
    for (unsigned i = 0; i < std::to_underlying(Method::Other); ++i) {
        const auto method = static_cast<Method>(i);
        CHECK(method_of(method_text(method)) == method);
    }
}

TEST_CASE("sip message: keep-alive datagrams") {
    using namespace std::string_view_literals;
    CHECK(is_keep_alive(as_bytes("\r\n\r\n"sv)));
    CHECK(is_keep_alive(as_bytes("\0"sv)));
    CHECK(is_keep_alive({}));
    CHECK_FALSE(is_keep_alive(as_bytes("\r\nx"sv)));
}

TEST_CASE("sip status: phrases, and a class's own for unknown codes") {
    CHECK(default_reason(status::Ringing) == "Ringing");
    CHECK(default_reason({499}) == "Bad Request");
    CHECK(default_reason({699}) == "Busy Everywhere");
    CHECK(status::Ok.is_success());
    CHECK_FALSE(status::Ok.is_provisional());
    CHECK(status::Decline.is_global_failure());
}

}  // namespace
}  // namespace stile::sip
