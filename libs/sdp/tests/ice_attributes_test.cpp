// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/sdp/candidate.hpp>
#include <stile/sdp/description.hpp>
#include <stile/sdp/ice_attributes.hpp>

namespace stile::sdp {
namespace {

constexpr std::string_view rfc8839_offer =
    "v=0\r\n"
    "o=jdoe 2890844526 2890842807 IN IP6 fe80::6676:baff:fe9c:ee4a\r\n"
    "s=\r\n"
    "c=IN IP6 2001:db8:8101:3a55:4858:a2a9:22ff:99b9\r\n"
    "t=0 0\r\n"
    "a=ice-options:ice2\r\n"
    "a=ice-pacing:50\r\n"
    "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
    "a=ice-ufrag:8hhY\r\n"
    "m=audio 45664 RTP/AVP 0\r\n"
    "b=RS:0\r\n"
    "b=RR:0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "a=candidate:1 1 UDP 2130706431 fe80::6676:baff:fe9c:ee4a 8998 typ host\r\n"
    "a=candidate:2 1 UDP 1694498815 2001:db8:8101:3a55:4858:a2a9:22ff:99b9 45664 typ srflx raddr "
    "fe80::6676:baff:fe9c:ee4a rport 8998\r\n";

TEST_CASE("sdp ice: the offer of RFC 8839 Appendix A") {
    const auto offer = Description::parse(rfc8839_offer);
    REQUIRE(offer);
    const MediaDescription& section = offer->media.at(0);
    CHECK(offer->effective<IceUfrag>(section)->text == "8hhY");
    CHECK(offer->effective<IcePwd>(section)->text == "asd88fgpdd777uzjYhagZg");
    CHECK(offer->attributes.get<IceOptions>()->has("ice2"));
    CHECK(offer->attributes.get<IcePacing>()->milliseconds == 50);
    CHECK_FALSE(offer->attributes.has(IceLite::name));
    const auto candidates = section.attributes.all<Candidate>();
    REQUIRE(candidates.size() == 2);
    CHECK(candidates[0].type == CandidateType::Host);
    CHECK(candidates[0].priority == 2130706431);
    CHECK_FALSE(candidates[0].related);
    CHECK(candidates[1].type == CandidateType::ServerReflexive);
    CHECK(candidates[1].socket_address() ==
          SocketAddress::parse("[2001:db8:8101:3a55:4858:a2a9:22ff:99b9]:45664"));
    CHECK(candidates[1].related == SocketAddress::parse("[fe80::6676:baff:fe9c:ee4a]:8998"));
}

TEST_CASE("sdp candidate: what is read is written back") {
    for (const std::string_view text : {
             "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
             "1 1 UDP 2130706431 203.0.113.141 8998 typ host",
             "1 1 TCP 2128609279 192.0.2.1 9 typ host tcptype active",
             "2 1 TCP 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998 tcptype so",
             "3 256 TCP 1 192.0.2.1 40100 typ host tcptype passive",
             "4 1 UDP 2122262783 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 10004 typ host",
             "Ab+/ 2 UDP 41885439 2001:db8::7 50000 typ relay raddr :: rport 9",
             "1 1 UDP 2113937151 192.0.2.1 54400 typ host generation 0 ufrag EsAw network-cost 999",
         }) {
        CAPTURE(text);
        const auto candidate = Candidate::parse(text);
        REQUIRE(candidate);
        CHECK(candidate->value() == text);
    }
}

TEST_CASE("sdp candidate: keywords are read in any case, unknown pairs are kept") {
    const auto candidate = Candidate::parse("1 1 udp 5 192.0.2.1 7 TYP Host tcpType-x y foo bar ");
    REQUIRE(candidate);
    REQUIRE(candidate->extensions.size() == 2);
    CHECK(candidate->extensions[1] == Candidate::Extension{"foo", "bar"});
}

TEST_CASE("sdp candidate: a related address that is no address counts as absent") {
    const auto candidate =
        Candidate::parse("1 1 UDP 5 192.0.2.1 7 typ srflx raddr host.example rport 9");
    REQUIRE(candidate);
    CHECK_FALSE(candidate->related);
}

TEST_CASE("sdp candidate: each fault has its error") {
    struct Case {
        std::string_view text;
        AttributeError error;
    };
    using enum AttributeError;
    const Case cases[] = {
        {"", Malformed},
        {"1", Malformed},
        {"1 1 UDP 5 192.0.2.1 7", Malformed},
        {"1 1 UDP 5 192.0.2.1 7 typ", Malformed},
        {"1 1 UDP 5 192.0.2.1 7 host", Malformed},
        {"1  1 UDP 5 192.0.2.1 7 typ host", Malformed},
        {"a-b 1 UDP 5 192.0.2.1 7 typ host", Malformed},
        {"123456789012345678901234567890123 1 UDP 5 192.0.2.1 7 typ host", OutOfRange},
        {"1 0 UDP 5 192.0.2.1 7 typ host", OutOfRange},
        {"1 257 UDP 5 192.0.2.1 7 typ host", OutOfRange},
        {"1 x UDP 5 192.0.2.1 7 typ host", Malformed},
        {"1 1 UDP 0 192.0.2.1 7 typ host", OutOfRange},
        {"1 1 UDP 2147483648 192.0.2.1 7 typ host", OutOfRange},
        {"1 1 UDP -5 192.0.2.1 7 typ host", Malformed},
        {"1 1 UDP 5 192.0.2.1 65536 typ host", OutOfRange},
        {"1 1 UDP 5 example.com 7 typ host", Unsupported},
        {"1 1 UDP 5 a.b.local 7 typ host", Unsupported},
        {"1 1 UDP 5 .local 7 typ host", Unsupported},
        {"1 1 UDP 5 200a0b:12f0::1 7 typ host", Malformed},
        {"1 1 UDP 5 fe80::1%eth0 7 typ host", Malformed},
        {"1 1 SCTP 5 192.0.2.1 7 typ host", Unsupported},
        {"1 1 UDP 5 192.0.2.1 7 typ teleported", Unsupported},
        {"1 1 TCP 5 192.0.2.1 9 typ host", Malformed},
        {"1 1 TCP 5 192.0.2.1 9 typ host tcptype sideways", Unsupported},
        {"1 1 UDP 5 192.0.2.1 7 typ srflx raddr 192.0.2.2 rport x", Malformed},
        {"1 1 UDP 5 192.0.2.1 7 typ host (x) y", Malformed},
    };
    for (const Case& each : cases) {
        CAPTURE(each.text);
        const auto parsed = Candidate::parse(each.text);
        REQUIRE_FALSE(parsed);
        CHECK(static_cast<int>(parsed.error()) == static_cast<int>(each.error));
    }
}

TEST_CASE("sdp candidate: one that cannot be used does not hide the others") {
    Attributes attributes;
    attributes.add("candidate", "1 1 UDP 5 example.com 7 typ host");
    attributes.add("CANDIDATE", "1 1 UDP 5 192.0.2.1 7 typ host");
    attributes.add("candidate", "rubbish");
    attributes.add("candidate", "1 1 UDP 6 192.0.2.2 7 typ host");
    CHECK(attributes.all<Candidate>().size() == 2);
    CHECK(attributes.size() == 4);
}

TEST_CASE("sdp candidate: the same candidate again is told by address, transport, component") {
    const auto first = *Candidate::parse("1 1 UDP 5 192.0.2.1 7 typ host");
    CHECK(same_candidate(first, *Candidate::parse("9 1 UDP 77 192.0.2.1 7 typ prflx")));
    CHECK_FALSE(same_candidate(first, *Candidate::parse("1 2 UDP 5 192.0.2.1 7 typ host")));
    CHECK_FALSE(same_candidate(first, *Candidate::parse("1 1 UDP 5 192.0.2.1 8 typ host")));
    CHECK_FALSE(
        same_candidate(first, *Candidate::parse("1 1 TCP 5 192.0.2.1 7 typ host tcptype passive")));
}

template <class A>
std::optional<AttributeError> error_of(std::string_view value) {
    const auto parsed = A::parse(value);
    if (parsed) return {};
    return parsed.error();
}

TEST_CASE("sdp ice: credentials have the lengths and characters of RFC 8839 Section 5.4") {
    using enum AttributeError;
    CHECK_FALSE(error_of<IceUfrag>("8hhY"));
    CHECK(error_of<IceUfrag>("8hh") == OutOfRange);
    CHECK_FALSE(error_of<IceUfrag>(std::string(256, 'a')));
    CHECK(error_of<IceUfrag>(std::string(257, 'a')) == OutOfRange);
    CHECK(error_of<IceUfrag>("8hh-") == Malformed);
    CHECK(error_of<IceUfrag>("") == Malformed);
    CHECK_FALSE(error_of<IcePwd>("asd88fgpdd777uzjYhagZg"));
    CHECK(error_of<IcePwd>("asd88fgpdd777uzjYhagZ") == OutOfRange);
    CHECK_FALSE(error_of<IcePwd>(std::string(256, '/')));
    CHECK(error_of<IcePwd>(std::string(257, '/')) == OutOfRange);
    CHECK(error_of<IcePwd>("asd88fgpdd777uzjYhagZ g") == Malformed);
}

TEST_CASE("sdp ice: options, pacing, flags") {
    using enum AttributeError;
    const auto options = IceOptions::parse("ice2 rtp+ecn");
    REQUIRE(options);
    CHECK(options->tags == std::vector<std::string>{"ice2", "rtp+ecn"});
    CHECK(options->value() == "ice2 rtp+ecn");
    CHECK(error_of<IceOptions>("") == Malformed);
    CHECK(error_of<IceOptions>("a  b") == Malformed);
    CHECK(IcePacing::parse("4294967295")->milliseconds == UINT32_MAX);
    CHECK(error_of<IcePacing>("4294967296") == OutOfRange);
    CHECK(error_of<IcePacing>("5 ") == Malformed);
    CHECK_FALSE(error_of<IceLite>(""));
    CHECK(error_of<IceLite>("yes") == Malformed);
    CHECK_FALSE(error_of<IceMismatch>(""));
    CHECK_FALSE(error_of<EndOfCandidates>(""));
    CHECK(Attributes{}.get<IceUfrag>().error() == Absent);
}

TEST_CASE("sdp ice: remote candidates of RFC 8839 Section 5.2") {
    const auto parsed = RemoteCandidates::parse("1 192.0.2.3 45664 2 192.0.2.3 45665");
    REQUIRE(parsed);
    REQUIRE(parsed->entries.size() == 2);
    CHECK(parsed->entries[1].component == 2);
    CHECK(parsed->entries[1].address == SocketAddress::parse("192.0.2.3:45665"));
    CHECK(parsed->value() == "1 192.0.2.3 45664 2 192.0.2.3 45665");
    for (const std::string_view bad : {"", "1", "1 192.0.2.3", "x 192.0.2.3 4", "0 192.0.2.3 4",
                                       "257 192.0.2.3 4", "1 192.0.2.3 65536", "1 name 4"}) {
        CAPTURE(bad);
        CHECK_FALSE(RemoteCandidates::parse(bad));
    }
}

}  // namespace
}  // namespace stile::sdp
