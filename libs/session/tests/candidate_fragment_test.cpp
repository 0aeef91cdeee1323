// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/fragment.hpp>
#include <stile/session/candidate_fragment.hpp>

#include <doctest/doctest.h>

namespace stile::session {
namespace {

const ice::Credentials current{"8hhY", "asd88fgpdd777uzjYhagZg"};

ice::Candidate host(std::string_view address) {
    const auto parsed = SocketAddress::parse(address);
    REQUIRE(parsed);
    return {.type = ice::CandidateType::Host,
            .component = {1},
            .transport = ice::Transport::Udp,
            .address = *parsed,
            .base = *parsed,
            .related = {},
            .priority = 2130706431,
            .foundation = "1"};
}

connect::Description two_candidates(connect::Gathering gathering) {
    return {current, {host("192.0.2.1:5000"), host("192.0.2.2:5001")}, gathering};
}

TEST_CASE("candidate fragment: what is written is read back, in the same order") {
    for (const auto gathering : {connect::Gathering::Ongoing, connect::Gathering::Complete}) {
        const connect::Description path = two_candidates(gathering);
        const std::string text = write_fragment(path, "quic");
        CAPTURE(text);
        const auto read = read_fragment(text, current, "quic");
        REQUIRE(read);
        CHECK(*read == path);
    }
}

// RFC 8840 Section 4.4: pseudo m= line, mid directly before the candidates, credentials after it.
TEST_CASE("candidate fragment: the text is as the RFC wants it") {
    CHECK(write_fragment(two_candidates(connect::Gathering::Complete), "quic") ==
          "m=audio 9 RTP/AVP 0\r\n"
          "a=mid:quic\r\n"
          "a=candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host\r\n"
          "a=candidate:1 1 UDP 2130706431 192.0.2.2 5001 typ host\r\n"
          "a=end-of-candidates\r\n"
          "a=ice-ufrag:8hhY\r\n"
          "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n");
}

constexpr std::string_view media = "m=audio 9 RTP/AVP 0\r\na=mid:1\r\n";
constexpr std::string_view candidate = "a=candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host\r\n";
constexpr std::string_view credentials = "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\n";

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts) text += part;
    return text;
}

TEST_CASE("candidate fragment: credentials may stand at either level, the section's count") {
    CHECK(read_fragment(joined({credentials, media, candidate}), current, "1"));
    CHECK(read_fragment(joined({media, candidate, credentials}), current, "1"));
    CHECK(read_fragment(joined({"a=ice-ufrag:other\r\na=ice-pwd:otherotherotherotherother\r\n",
                                media, candidate, credentials}),
                        current, "1"));
}

TEST_CASE("candidate fragment: only the section that is asked for is read") {
    const std::string text = joined({credentials, media, candidate,
                                     "m=audio 9 RTP/AVP 0\r\na=mid:2\r\n"
                                     "a=candidate:1 1 UDP 2130706431 192.0.2.9 9 typ host\r\n"
                                     "a=end-of-candidates\r\n"});
    const auto first = read_fragment(text, current, "1");
    REQUIRE(first);
    CHECK(first->candidates == std::vector{host("192.0.2.1:5000")});
    CHECK(first->gathering == connect::Gathering::Ongoing);
    const auto second = read_fragment(text, current, "2");
    REQUIRE(second);
    CHECK(second->candidates == std::vector{host("192.0.2.9:9")});
    CHECK(second->gathering == connect::Gathering::Complete);
    CHECK(read_fragment(text, current, "3").error() == FragmentFault::OtherSection);
}

TEST_CASE("candidate fragment: an end before the sections ends all of them") {
    const auto with = read_fragment(
        joined({credentials, "a=end-of-candidates\r\n", media, candidate}), current, "1");
    REQUIRE(with);
    CHECK(with->gathering == connect::Gathering::Complete);
    CHECK(with->candidates.size() == 1);
    const auto without =
        read_fragment(joined({credentials, "a=end-of-candidates\r\n"}), current, "1");
    REQUIRE(without);
    CHECK(without->gathering == connect::Gathering::Complete);
    CHECK(without->candidates.empty());
}

TEST_CASE("candidate fragment: what is of another generation is told apart") {
    const struct {
        const char* what;
        std::string text;
        FragmentFault fault;
    } cases[] = {
        {"another ufrag",
         joined({"a=ice-ufrag:8hhZ\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n", media, candidate}),
         FragmentFault::OtherGeneration},
        {"another password",
         joined({"a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZh\r\n", media, candidate}),
         FragmentFault::OtherGeneration},
        {"no password", joined({"a=ice-ufrag:8hhY\r\n", media, candidate}),
         FragmentFault::OtherGeneration},
        {"no credentials", joined({media, candidate}), FragmentFault::OtherGeneration},
        {"an end of another generation",
         joined({"a=ice-ufrag:8hhZ\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n",
                 "a=end-of-candidates\r\n"}),
         FragmentFault::OtherGeneration},
        {"nothing", "", FragmentFault::OtherSection},
        {"a description", "v=0\r\n", FragmentFault::Malformed},
        {"no mid", joined({credentials, "m=audio 9 RTP/AVP 0\r\n", candidate}),
         FragmentFault::Malformed},
    };
    for (const auto& each : cases) {
        CAPTURE(each.what);
        const auto read = read_fragment(each.text, current, "1");
        REQUIRE_FALSE(read);
        CHECK(read.error() == each.fault);
    }
}

TEST_CASE("candidate fragment: candidates that cannot be used are left out, the others stay") {
    const auto read = read_fragment(
        joined({credentials, media, "a=candidate:rubbish\r\n",
                "a=candidate:1 1 UDP 2130706431 abc.local 5000 typ host\r\n", candidate}),
        current, "1");
    REQUIRE(read);
    CHECK(read->candidates == std::vector{host("192.0.2.1:5000")});
}

}  // namespace
}  // namespace stile::session
