// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/sdp/description.hpp>

namespace stile::sdp {
namespace {

constexpr std::string_view rfc8866_example =
    "v=0\r\n"
    "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n"
    "s=Call to John Smith\r\n"
    "i=SDP Offer #1\r\n"
    "u=http://www.jdoe.example.com/home.html\r\n"
    "e=Jane Doe <jane@jdoe.example.com>\r\n"
    "p=+1 617 555-6011\r\n"
    "c=IN IP4 198.51.100.1\r\n"
    "t=0 0\r\n"
    "m=audio 49170 RTP/AVP 0\r\n"
    "m=audio 49180 RTP/AVP 0\r\n"
    "m=video 51372 RTP/AVP 99\r\n"
    "c=IN IP6 2001:db8::2\r\n"
    "a=rtpmap:99 h263-1998/90000\r\n";

constexpr std::string_view everything =
    "v=0\r\n"
    "o=- 20518 0 IN IP6 2001:db8::1\r\n"
    "s= \r\n"
    "i=about\r\n"
    "u=http://example.com/\r\n"
    "e=a@example.com\r\n"
    "e=b@example.com\r\n"
    "p=+1 617 555-6011\r\n"
    "c=IN IP4 233.252.0.1/127/3\r\n"
    "b=CT:128\r\n"
    "b=X-YZ:256\r\n"
    "t=3724394400 3724398000\r\n"
    "r=604800 3600 0 90000\r\n"
    "z=3730928400 -1h 3749680800 0\r\n"
    "t=3724484400 3724488000\r\n"
    "k=prompt\r\n"
    "a=recvonly\r\n"
    "a=x-unknown:kept as \xC3\xA9t\xC3\xA9: it came\r\n"
    "m=video 49170/2 RTP/AVP 31 32\r\n"
    "i=camera\r\n"
    "c=IN IP4 233.252.0.1/127\r\n"
    "c=IN IP4 233.252.0.2/127\r\n"
    "b=AS:64\r\n"
    "k=clear:secret\r\n"
    "a=orient:portrait\r\n"
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n";

std::string with_line(std::string_view line) {
    return "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
           std::string{line};
}

TEST_CASE("sdp: the example of RFC 8866 Section 5 is read and written back unchanged") {
    const auto parsed = Description::parse(rfc8866_example);
    REQUIRE(parsed);
    CHECK(parsed->origin.username == "jdoe");
    CHECK(parsed->origin.session_version == 3724394405);
    CHECK(parsed->session_name == "Call to John Smith");
    REQUIRE(parsed->media.size() == 3);
    CHECK(parsed->media[1].port == Port{49180});
    CHECK(parsed->media[2].formats == std::vector<std::string>{"99"});
    CHECK(parsed->effective_connection(parsed->media[0])->ip() == IpAddress::v4({198, 51, 100, 1}));
    CHECK(parsed->effective_connection(parsed->media[2])->ip() == IpAddress::parse("2001:db8::2"));
    CHECK(parsed->serialize() == rfc8866_example);
}

TEST_CASE("sdp: every kind of line keeps its place and its text") {
    const auto parsed = Description::parse(everything);
    REQUIRE(parsed);
    CHECK(parsed->timings.size() == 2);
    CHECK(parsed->timings[0].zone == "3730928400 -1h 3749680800 0");
    CHECK(parsed->media[0].port_count == 2U);
    CHECK(parsed->media[0].connections.size() == 2);
    CHECK(parsed->media[1].rejected());
    CHECK_FALSE(parsed->connection->ip());
    CHECK(parsed->serialize() == everything);
}

TEST_CASE("sdp: lines may end with LF alone, and empty lines may follow the end") {
    std::string text;
    for (const char c : rfc8866_example) {
        if (c != '\r') text += c;
    }
    const auto parsed = Description::parse(text + "\n\r\n");
    REQUIRE(parsed);
    CHECK(parsed->serialize() == rfc8866_example);
}

TEST_CASE("sdp: an empty session name is read, and written as a dash") {
    const auto parsed = Description::parse("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=\nt=0 0\n");
    REQUIRE(parsed);
    CHECK(parsed->session_name.empty());
    CHECK(parsed->serialize().find("\r\ns=-\r\n") != std::string::npos);
}

TEST_CASE("sdp: what is wrong is named with its line") {
    struct Case {
        std::string text;
        Problem problem;
        std::uint32_t line;
    };
    const std::string head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
    const Case cases[] = {
        {"", Problem::MissingLine, 1},
        {"hello", Problem::BadLine, 1},
        {"\r\nv=0\r\n", Problem::BadLine, 1},
        {"o=- 1 1 IN IP4 192.0.2.1\r\n", Problem::MissingLine, 1},
        {"v=1\r\n", Problem::UnsupportedVersion, 1},
        {"v=0\r\ns=-\r\n", Problem::MissingLine, 2},
        {"v=0\r\no=- 1 1 IN IP4\r\n", Problem::BadOrigin, 2},
        {"v=0\r\no=- 1 1 IN IP4 192.0.2.1 x\r\n", Problem::BadOrigin, 2},
        {"v=0\r\no=- x 1 IN IP4 192.0.2.1\r\n", Problem::BadOrigin, 2},
        {"v=0\r\no=- 1 -1 IN IP4 192.0.2.1\r\n", Problem::BadOrigin, 2},
        {"v=0\r\no=a b 1 1 IN IP4 192.0.2.1\r\n", Problem::BadOrigin, 2},
        {"v=0\r\no=- 1 9223372036854775808 IN IP4 192.0.2.1\r\n", Problem::BadOrigin, 2},
        {"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nt=0 0\r\n", Problem::MissingLine, 3},
        {head, Problem::MissingLine, 4},
        {head + "t=0\r\n", Problem::BadTiming, 4},
        {head + "t=0 0 0\r\n", Problem::BadTiming, 4},
        {head + "t=now then\r\n", Problem::BadTiming, 4},
        {head + "c=IN IP4\r\nt=0 0\r\n", Problem::BadConnection, 4},
        {head + "c=IN IP4 a b\r\nt=0 0\r\n", Problem::BadConnection, 4},
        {head + "b=CT\r\nt=0 0\r\n", Problem::BadBandwidth, 4},
        {head + "b=CT:x\r\nt=0 0\r\n", Problem::BadBandwidth, 4},
        {head + "u=a\r\nu=b\r\nt=0 0\r\n", Problem::MissingLine, 5},
        {head + "t=0 0\r\ni=late\r\n", Problem::OutOfOrder, 5},
        {head + "t=0 0\r\na=x\r\nc=IN IP4 192.0.2.1\r\n", Problem::OutOfOrder, 6},
        {head + "t=0 0\r\nx=1\r\n", Problem::UnknownType, 5},
        {head + "t=0 0\r\nA=1\r\n", Problem::UnknownType, 5},
        {head + "t=0 0\r\na =1\r\n", Problem::BadLine, 5},
        {head + "t=0 0\r\n\r\na=x\r\n", Problem::BadLine, 5},
        {head + "t=0 0\r\na=x\ry\r\n", Problem::BadLine, 5},
        {head + std::string("t=0 0\r\na=x\0y\r\n", 15), Problem::BadLine, 5},
        {head + "t=0 0\r\na=\r\n", Problem::BadAttribute, 5},
        {head + "t=0 0\r\na=:x\r\n", Problem::BadAttribute, 5},
        {head + "t=0 0\r\na=a b:x\r\n", Problem::BadAttribute, 5},
        {head + "t=0 0\r\nm=audio 9 RTP/AVP 0\r\n", Problem::MissingConnection, 6},
        {with_line("m=audio 9 RTP/AVP\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9\r\n"), Problem::BadMedia, 6},
        {with_line("m=\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 65536 RTP/AVP 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio -1 RTP/AVP 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9/0 RTP/AVP 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9/ RTP/AVP 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9 RTP//AVP 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9 RTP/ 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio  9 RTP/AVP 0\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9 RTP/AVP 0  1\r\n"), Problem::BadMedia, 6},
        {with_line("m=audio 9 RTP/AVP 0\r\nt=0 0\r\n"), Problem::OutOfOrder, 7},
        {with_line("m=audio 9 RTP/AVP 0\r\na=x\r\ni=late\r\n"), Problem::OutOfOrder, 8},
    };
    for (const Case& each : cases) {
        CAPTURE(each.text);
        const auto parsed = Description::parse(each.text);
        REQUIRE_FALSE(parsed);
        CHECK(to_string(parsed.error().problem) == to_string(each.problem));
        CHECK(parsed.error().line == each.line);
    }
    CHECK(ParseError{.problem = Problem::BadMedia, .line = 6}.to_string() ==
          "line 6: malformed m= line");
}

TEST_CASE("sdp: a rejected section needs no connection line, any other one does") {
    const std::string head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
    CHECK(Description::parse(head + "m=audio 0 RTP/AVP 0\r\n"));
    CHECK_FALSE(Description::parse(head + "m=audio 1 RTP/AVP 0\r\n"));
    CHECK(Description::parse(head + "m=audio 1 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"));
}

TEST_CASE("sdp: no value can add a line") {
    Description description;
    description.session_name = "x\r\na=setup:active\nm=audio 9 RTP/AVP 0";
    description.attributes.add("name", std::string("va\0lue\r\nm=video 9 RTP/AVP 0", 27));
    const auto parsed = Description::parse(description.serialize());
    REQUIRE(parsed);
    CHECK(parsed->media.empty());
    CHECK(parsed->attributes.size() == 1);
    CHECK(parsed->session_name == "x  a=setup:active m=audio 9 RTP/AVP 0");
}

TEST_CASE("sdp: limits hold at their value and one past it") {
    const auto repeated = [](std::string_view line, std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) text += line;
        return text;
    };
    const auto problem_of = [](const std::string& text) -> std::optional<Problem> {
        const auto parsed = Description::parse(text);
        if (parsed) return {};
        return parsed.error().problem;
    };
    const auto both = [&](std::string_view before, std::string_view line, std::size_t limit,
                          std::string_view after) {
        CAPTURE(line);
        CHECK_FALSE(problem_of(std::string{before} + repeated(line, limit) + std::string{after}));
        CHECK(problem_of(std::string{before} + repeated(line, limit + 1) + std::string{after}) ==
              Problem::TooMany);
    };
    const std::string head = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n";
    const std::string session = head + "c=IN IP4 192.0.2.1\nt=0 0\n";
    const std::string section = session + "m=audio 9 RTP/AVP 0\n";
    both(session, "m=audio 9 RTP/AVP 0\n", limits::media, "");
    both(session, "a=x\n", limits::attributes, "");
    both(section, "a=x\n", limits::attributes, "");
    both(head, "e=x\n", limits::repeated_lines, "t=0 0\n");
    both(head, "p=x\n", limits::repeated_lines, "t=0 0\n");
    both(head, "b=A:1\n", limits::repeated_lines, "t=0 0\n");
    both(head, "t=0 0\n", limits::repeated_lines, "");
    both(head + "t=0 0\n", "r=x\n", limits::repeated_lines, "");
    both(section, "c=IN IP4 192.0.2.1\n", limits::repeated_lines, "");
    both(session + "m=audio 9 RTP/AVP", " 0", limits::formats, "\n");

    const std::string name(limits::line_octets - 2, 'x');
    CHECK_FALSE(problem_of(session + "a=" + name + "\r\n"));
    CHECK(problem_of(session + "a=" + name + "x\r\n") == Problem::TooLong);

    std::string longest = session;
    while (longest.size() + 1'000 < limits::description_octets) {
        longest += "a=" + std::string(900, 'x') + "\n";
    }
    longest += "a=" + std::string(limits::description_octets - longest.size() - 3, 'x') + "\n";
    REQUIRE(longest.size() == limits::description_octets);
    CHECK_FALSE(problem_of(longest));
    CHECK(problem_of(longest + "\n") == Problem::TooLong);

    CHECK_FALSE(problem_of("v=0\no=- 1 9223372036854775807 IN IP4 192.0.2.1\ns=-\nt=0 0\n"));
}

TEST_CASE("sdp: a description cut anywhere or with any octet changed is read or refused") {
    const std::string text{everything};
    for (std::size_t i = 0; i < text.size(); ++i) {
        (void)Description::parse(text.substr(0, i));
        for (const char c : {'\0', '\n', '\r', ' ', '=', ':', '/', '\xFF'}) {
            std::string changed = text;
            changed[i] = c;
            const auto parsed = Description::parse(changed);
            if (!parsed) continue;
            CAPTURE(i);
            const auto again = Description::parse(parsed->serialize());
            REQUIRE(again);
            CHECK(again->serialize() == parsed->serialize());
        }
    }
}

}  // namespace
}  // namespace stile::sdp
