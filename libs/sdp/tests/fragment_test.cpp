// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/sdp/candidate.hpp>
#include <stile/sdp/fragment.hpp>
#include <stile/sdp/ice_attributes.hpp>

namespace stile::sdp {
namespace {

// RFC 8840 Figure 7, shortened.
constexpr std::string_view figure7 =
    "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
    "a=ice-ufrag:8hhY\r\n"
    "m=audio 9 RTP/AVP 0\r\n"
    "a=mid:1\r\n"
    "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n"
    "a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.0.2.1 rport 8998\r\n"
    "a=end-of-candidates\r\n"
    "m=audio 9 RTP/AVP 0\r\n"
    "a=mid:2\r\n"
    "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\n"
    "a=end-of-candidates\r\n";

TEST_CASE("sdp fragment: the body of RFC 8840 Figure 7 is read and written back") {
    const auto fragment = IceFragment::parse(figure7);
    REQUIRE(fragment);
    CHECK(fragment->attributes.get<IceUfrag>()->text == "8hhY");
    REQUIRE(fragment->sections.size() == 2);
    CHECK(fragment->sections[0].mid == "1");
    CHECK(fragment->sections[0].attributes.all<Candidate>().size() == 2);
    CHECK(fragment->sections[1].attributes.has(EndOfCandidates::name));
    CHECK(fragment->serialize() == figure7);
}

// RFC 8840 Section 9.2.
TEST_CASE("sdp fragment: names in any case, the whole session's end, and unknown attributes") {
    const auto fragment = IceFragment::parse(
        "a=ICE-UFRAG:8hhY\n"
        "a=Ice-Pwd:asd88fgpdd777uzjYhagZg\n"
        "a=group:BUNDLE 1 2\n"
        "a=unknown:x y\n"
        "a=End-Of-Candidates\n"
        "m=video 0 TCP/TLS/RTP/SAVPF 96 97\n"
        "a=MID:2\n"
        "a=rtcp-mux\n"
        "a=Candidate:1 1 UDP 2130706432 192.0.2.1 5000 typ host\n"
        "a=unknown\n");
    REQUIRE(fragment);
    CHECK(fragment->attributes.get<IceUfrag>()->text == "8hhY");
    CHECK(fragment->attributes.get<IcePwd>()->text == "asd88fgpdd777uzjYhagZg");
    CHECK(fragment->attributes.has(EndOfCandidates::name));
    REQUIRE(fragment->sections.size() == 1);
    CHECK(fragment->sections[0].mid == "2");
    CHECK(fragment->sections[0].attributes.all<Candidate>().size() == 1);
    CHECK_FALSE(fragment->sections[0].attributes.has(EndOfCandidates::name));
    // Nothing is lost on the way through; the m= line's content means nothing.
    CHECK(IceFragment::parse(fragment->serialize()) == fragment);
}

TEST_CASE("sdp fragment: what is wrong is named with its line") {
    struct Case {
        std::string text;
        Problem problem;
        std::uint32_t line;
    };
    const Case cases[] = {
        {"v=0\r\n", Problem::OutOfOrder, 1},
        {"a=ice-lite\r\nm=audio\r\n", Problem::BadMedia, 2},
        {"a=ice-lite\r\nm=audio 9 RTP/AVP 0\r\na=x\r\n", Problem::BadMedia, 2},
        {"m=audio 9 RTP/AVP 0\r\na=mid:1\r\nc=IN IP4 1.2.3.4\r\n", Problem::OutOfOrder, 3},
        {"m=audio 9 RTP/AVP 0\r\nrubbish\r\n", Problem::BadLine, 2},
        {"a= \r\n", Problem::BadAttribute, 1},
    };
    for (const Case& each : cases) {
        CAPTURE(each.text);
        const auto parsed = IceFragment::parse(each.text);
        REQUIRE_FALSE(parsed);
        CHECK(to_string(parsed.error().problem) == to_string(each.problem));
        CHECK(parsed.error().line == each.line);
    }
    CHECK(IceFragment::parse(""));
}

TEST_CASE("sdp fragment: sections are limited") {
    std::string text;
    for (std::size_t i = 0; i < limits::media; ++i) text += "m=audio 9 RTP/AVP 0\na=mid:1\n";
    CHECK(IceFragment::parse(text));
    text += "m=audio 9 RTP/AVP 0\na=mid:1\n";
    REQUIRE_FALSE(IceFragment::parse(text));
    CHECK(IceFragment::parse(text).error().problem == Problem::TooMany);
}

}  // namespace
}  // namespace stile::sdp
