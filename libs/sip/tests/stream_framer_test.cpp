// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "rfc4475_messages.hpp"

#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/sip/stream_framer.hpp>

#include <string>

namespace stile::sip {
namespace {

constexpr std::string_view options =
    "OPTIONS sip:b@example.org SIP/2.0\r\n"
    "Via: SIP/2.0/TCP h;branch=z9hG4bKa\r\n"
    "To: <sip:b@example.org>\r\n"
    "From: <sip:a@example.org>;tag=1\r\n"
    "Call-ID: c\r\n"
    "CSeq: 1 OPTIONS\r\n";

std::string message(std::string_view body) {
    return std::string{options} + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string{body};
}

// One letter an event: a message's body in parentheses, P, p (pong), X.
std::string feed(StreamFramer& framer, std::string_view octets, std::size_t piece) {
    std::string seen;
    while (!octets.empty()) {
        const std::string_view part = octets.substr(0, piece);
        const std::size_t taken = framer.feed(as_bytes(part));
        octets.remove_prefix(taken);
        const auto event = framer.poll_event();
        if (!event) {
            CHECK(taken == part.size());
            continue;
        }
        if (const auto* got = std::get_if<Message>(&*event)) {
            seen += "(" + std::string{got->body_text()} + ")";
        } else if (std::holds_alternative<PingReceived>(*event)) {
            seen += "P";
        } else if (std::holds_alternative<PongReceived>(*event)) {
            seen += "p";
        } else {
            seen += "X";
        }
    }
    return seen;
}

TEST_CASE("sip stream: messages and keep-alives, however the stream is cut") {
    const std::string stream = message("one") + "\r\n\r\n" + message("") + "\r\n" +
                               message("two\r\n\r\n") + "\r\n\r\n\r\n\r\n" + message("three");
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        CAPTURE(piece);
        StreamFramer accepted{FlowSide::Accepted};
        CHECK(feed(accepted, stream, piece) == "(one)P()(two\r\n\r\n)PP(three)");
        CHECK_FALSE(accepted.is_inside_message());
        StreamFramer opened{FlowSide::Opened};
        CHECK(feed(opened, stream, piece) == "(one)pp()p(two\r\n\r\n)pppp(three)");
    }
}

TEST_CASE("sip stream: says when a message has begun and not ended") {
    StreamFramer framer{FlowSide::Accepted};
    feed(framer, "\r\n", 2);
    CHECK_FALSE(framer.is_inside_message());
    feed(framer, message("body").substr(0, 10), 10);
    CHECK(framer.is_inside_message());
    StreamFramer in_body{FlowSide::Accepted};
    feed(in_body, message("body").substr(0, message("body").size() - 1), 1000);
    CHECK(in_body.is_inside_message());
}

TEST_CASE("sip stream: what breaks it ends it") {
    struct Row {
        std::string text;
        ParseError error;
        std::uint16_t answer;  // 0: nothing to answer
    };
    const std::string head{options};
    for (const Row& row : std::initializer_list<Row>{
             {head + "\r\n", ParseError::Missing, 400},
             {head + "Content-Length: x\r\n\r\n", ParseError::BadContentLength, 400},
             {head + "Content-Length: 1\r\nl: 2\r\n\r\n", ParseError::BadContentLength, 400},
             {head + "Content-Length: 70000\r\n\r\n", ParseError::TooLarge, 513},
             {head + "Content-Length: 4294967295\r\n\r\n", ParseError::TooLarge, 513},
             {head + "no colon\r\nContent-Length: 0\r\n\r\n", ParseError::BadHeader, 400},
             {head + "X: " + std::string(70000, 'x') + "\r\n\r\n", ParseError::TooLarge, 513},
             {"GET / HTTP/1.1\r\n\r\n", ParseError::BadStartLine, 400},
             {"\r\rOPTIONS", ParseError::BadCharacter, 0},
             {"\nOPTIONS", ParseError::BadCharacter, 0},
             {std::string(70000, 'x'), ParseError::TooLarge, 0},
         }) {
        for (const std::size_t piece : {std::size_t{1000}, row.text.size()}) {
            CAPTURE(row.text.substr(0, 200));
            StreamFramer framer{FlowSide::Accepted};
            for (std::size_t at = 0; at < row.text.size(); at += piece) {
                framer.feed(as_bytes(std::string_view{row.text}.substr(at, piece)));
            }
            REQUIRE(framer.is_broken());
            const auto event = framer.poll_event();
            REQUIRE(event);
            const auto* broken = std::get_if<StreamBroken>(&*event);
            REQUIRE(broken != nullptr);
            CHECK(broken->failure.error == row.error);
            REQUIRE(broken->failure.head.has_value() == (row.answer != 0));
            if (row.answer != 0) CHECK(broken->failure.answer.code == row.answer);
            // Nothing comes out any more.
            CHECK(framer.feed(as_bytes(message("x"))) == message("x").size());
            CHECK_FALSE(framer.poll_event());
        }
    }
}

TEST_CASE("sip stream: a message of just the size allowed passes, one larger does not") {
    const std::size_t most = ParseLimits{}.message_octets;
    // The length line has the same width in both.
    const std::size_t head = message(std::string(60'000, 'x')).size() - 60'000;
    StreamFramer framer{FlowSide::Accepted};
    CHECK(feed(framer, message(std::string(most - head, 'x')), 4096).size() == most - head + 2);
    StreamFramer too_small{FlowSide::Accepted};
    CHECK(feed(too_small, message(std::string(most - head + 1, 'x')), 4096) == "X");
}

TEST_CASE("sip stream: random cuts of the torture messages never lose the place") {
    // Those whose Content-Length is sound, one after the other.
    std::string stream;
    std::size_t expected = 0;
    for (const TortureMessage& row : rfc4475) {
        const auto parsed = parse_message(as_bytes(row.text));
        if (!parsed || !parsed->contains(HeaderName::ContentLength)) continue;
        stream += std::string{row.text.substr(0, parsed->wire().size())};
        ++expected;
    }
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        StreamFramer framer{FlowSide::Accepted};
        std::size_t messages = 0;
        for (std::string_view rest = stream; !rest.empty();) {
            const std::string_view piece = rest.substr(0, 1 + random.below(900));
            rest.remove_prefix(framer.feed(as_bytes(piece)));
            const auto event = framer.poll_event();
            if (event && std::holds_alternative<Message>(*event)) ++messages;
        }
        CHECK(messages == expected);
    }
}

}  // namespace
}  // namespace stile::sip
