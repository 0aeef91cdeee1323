// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/sdp/direction.hpp>
#include <stile/sdp/fingerprint.hpp>
#include <stile/sdp/grouping.hpp>
#include <stile/sdp/offer_answer.hpp>
#include <stile/sdp/sctp.hpp>
#include <stile/sdp/setup.hpp>

namespace stile::sdp {
namespace {

Description parse(std::string_view text) {
    auto parsed = Description::parse(text);
    REQUIRE(parsed);
    return *std::move(parsed);
}

// RFC 3264 Section 10.1.
constexpr std::string_view alice =
    "v=0\r\n"
    "o=alice 2890844526 2890844526 IN IP4 host.anywhere.com\r\n"
    "s=\r\n"
    "c=IN IP4 host.anywhere.com\r\n"
    "t=0 0\r\n"
    "m=audio 49170 RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "m=video 51372 RTP/AVP 31\r\n"
    "a=rtpmap:31 H261/90000\r\n"
    "m=video 53000 RTP/AVP 32\r\n"
    "a=rtpmap:32 MPV/90000\r\n";

constexpr std::string_view bob =
    "v=0\r\n"
    "o=bob 2890844730 2890844730 IN IP4 host.example.com\r\n"
    "s=\r\n"
    "c=IN IP4 host.example.com\r\n"
    "t=0 0\r\n"
    "m=audio 49920 RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
    "m=video 0 RTP/AVP 31\r\n"
    "m=video 53000 RTP/AVP 32\r\n"
    "a=rtpmap:32 MPV/90000\r\n";

// RFC 8841 Section 13.1.
constexpr std::string_view channel_offer =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
    "m=application 54111 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP6 2001:DB8::A8FD\r\n"
    "a=tls-id:abc3de65cddef001be82\r\n"
    "a=setup:actpass\r\n"
    "a=fingerprint:SHA-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:"
    "5D:49:6B:19:E5:7C:AB:4A:AD\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:100000\r\n";

constexpr std::string_view channel_answer =
    "v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nt=0 0\r\n"
    "m=application 64300 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP6 2001:DB8::001D\r\n"
    "a=tls-id:dbc8de77cddef001be90\r\n"
    "a=setup:passive\r\n"
    "a=fingerprint:SHA-256 3F:82:18:3B:49:6B:19:E5:7C:AB:4A:AD:B9:B1:12:DF:3E:5D:12:DF:54:02:49:"
    "6B:3E:5D:7C:AB:19:E5:AD:4A\r\n"
    "a=sctp-port:6000\r\n"
    "a=max-message-size:100000\r\n";

TEST_CASE("sdp offer/answer: the exchange of RFC 3264 Section 10.1") {
    const Description offer = parse(alice);
    const Description answer = parse(bob);
    CHECK_FALSE(check_answer(offer, answer));
    CHECK(accepted_sections(answer) == std::vector<std::size_t>{0, 2});
    // Bob then moves his audio; the version goes up by one. He may not forget the other sections.
    Description next = answer;
    next.media[0].port = Port{65'422};
    CHECK(check_update(answer, next) == UpdateFault::ChangedWithVersion);
    set_version_after(next, answer);
    CHECK(next.origin.session_version == 2890844731);
    CHECK_FALSE(check_update(answer, next));
    next.media.pop_back();
    CHECK(check_update(answer, next) == UpdateFault::SectionsRemoved);
}

TEST_CASE("sdp offer/answer: the data channel exchange of RFC 8841 Section 13.1") {
    CHECK_FALSE(check_answer(parse(channel_offer), parse(channel_answer)));
}

TEST_CASE("sdp offer/answer: an answer starts with every section rejected") {
    const Description offer = parse(alice);
    const Description answer = make_answer(offer, Origin{.username = "bob"});
    CHECK(answer.media.size() == 3);
    CHECK(accepted_sections(answer).empty());
    CHECK_FALSE(check_answer(offer, answer));
    CHECK(Description::parse(answer.serialize()));
}

TEST_CASE("sdp offer/answer: one section is accepted, the others stay rejected") {
    Description offer = parse(alice);
    offer.media[2].attributes.add(Mid{"v2"});
    Description answer = make_answer(offer, Origin{.username = "bob"});
    accept(answer, offer, 0, {.connections = {Connection{}}});
    accept(answer, offer, 2, {.port = Port{4000}, .connections = {Connection{}}});
    CHECK(accepted_sections(answer) == std::vector<std::size_t>{0, 2});
    reject_all_but(answer, 2);
    CHECK(accepted_sections(answer) == std::vector<std::size_t>{2});
    CHECK(answer.media[2].attributes.get<Mid>()->text == "v2");
    CHECK_FALSE(check_answer(offer, answer));
    CHECK(Description::parse(answer.serialize()));
}

TEST_CASE("sdp offer/answer: each way in which an answer can be wrong is named") {
    struct Case {
        AnswerFault fault;
        void (*spoil)(Description& offer, Description& answer);
    };
    const Case cases[] = {
        {AnswerFault::SectionCount, [](auto&, auto& answer) { answer.media.emplace_back(); }},
        {AnswerFault::SectionCount, [](auto&, auto& answer) { answer.media.clear(); }},
        {AnswerFault::MediaType, [](auto&, auto& answer) { answer.media[0].media = "audio"; }},
        {AnswerFault::Proto, [](auto&, auto& answer) { answer.media[0].proto = "UDP/TLS"; }},
        {AnswerFault::Formats, [](auto&, auto& answer) { answer.media[0].formats = {"other"}; }},
        {AnswerFault::Revived, [](auto& offer, auto&) { offer.media[0].port = Port{0}; }},
        {AnswerFault::SetupRole,
         [](auto&, auto& answer) { answer.media[0].attributes.set(Setup{SetupRole::Actpass}); }},
        {AnswerFault::SetupRole,
         [](auto&, auto& answer) { answer.media[0].attributes.set(Setup{SetupRole::Holdconn}); }},
        {AnswerFault::SetupRole,
         [](auto& offer, auto&) { offer.media[0].attributes.set(Setup{SetupRole::Passive}); }},
        {AnswerFault::SetupRole,
         [](auto&, auto& answer) {
             answer.media[0].attributes.remove("setup");
             answer.media[0].attributes.add("setup", "rubbish");
         }},
        {AnswerFault::MissingFingerprint,
         [](auto&, auto& answer) { answer.media[0].attributes.remove("fingerprint"); }},
        {AnswerFault::UninvitedTlsId,
         [](auto& offer, auto&) { offer.media[0].attributes.remove("tls-id"); }},
        {AnswerFault::MissingSctpPort,
         [](auto&, auto& answer) { answer.media[0].attributes.remove("sctp-port"); }},
        {AnswerFault::Mid, [](auto&, auto& answer) { answer.media[0].attributes.add(Mid{"x"}); }},
        {AnswerFault::Mid,
         [](auto& offer, auto& answer) {
             offer.media[0].attributes.add(Mid{"y"});
             answer.media[0].attributes.add(Mid{"x"});
         }},
    };
    for (const Case& each : cases) {
        CAPTURE(to_string(each.fault));
        Description offer = parse(channel_offer);
        Description answer = parse(channel_answer);
        each.spoil(offer, answer);
        const auto problem = check_answer(offer, answer);
        REQUIRE(problem);
        CHECK(to_string(problem->fault) == to_string(each.fault));
    }
}

TEST_CASE("sdp offer/answer: absent setup means active in an offer, passive in an answer") {
    Description offer = parse(channel_offer);
    Description answer = parse(channel_answer);
    offer.media[0].attributes.remove("setup");
    answer.media[0].attributes.remove("setup");
    CHECK_FALSE(check_answer(offer, answer));
    answer.media[0].attributes.set(Setup{SetupRole::Active});
    CHECK(check_answer(offer, answer)->fault == AnswerFault::SetupRole);
}

TEST_CASE("sdp offer/answer: TCP/TLS may be put on hold, DTLS may not") {
    Description offer = parse(channel_offer);
    Description answer = parse(channel_answer);
    answer.media[0].attributes.set(Setup{SetupRole::Holdconn});
    CHECK(check_answer(offer, answer)->fault == AnswerFault::SetupRole);
    for (Description* each : {&offer, &answer}) {
        each->media[0].proto = "TCP/TLS";
        each->media[0].formats = {"http"};
    }
    CHECK_FALSE(check_answer(offer, answer));
}

TEST_CASE("sdp offer/answer: plain TCP has roles too, RTP has none") {
    Description offer = parse(alice);
    Description answer = parse(bob);
    for (Description* each : {&offer, &answer}) {
        each->media[0].attributes.add(Setup{SetupRole::Active});
    }
    CHECK_FALSE(check_answer(offer, answer));
    offer.media[0].proto = answer.media[0].proto = "TCP";
    CHECK(check_answer(offer, answer) ==
          AnswerProblem{.fault = AnswerFault::SetupRole, .section = 0});
}

TEST_CASE("sdp offer/answer: directions answer each other as RFC 3264 Section 6.1 says") {
    using enum Direction;
    const std::array directions{SendReceive, SendOnly, ReceiveOnly, Inactive};
    const bool allowed[4][4] = {
        {true, true, true, true},
        {false, false, true, true},
        {false, true, false, true},
        {false, false, false, true},
    };
    for (std::size_t offered = 0; offered < 4; ++offered) {
        for (std::size_t answered = 0; answered < 4; ++answered) {
            CAPTURE(offered);
            CAPTURE(answered);
            Description offer = parse(alice);
            Description answer = parse(bob);
            set_direction(offer.media[0], directions[offered]);
            set_direction(answer.media[0], directions[answered]);
            CHECK(direction_of(offer, offer.media[0]) == directions[offered]);
            CHECK(!check_answer(offer, answer) == allowed[offered][answered]);
        }
    }
}

TEST_CASE("sdp offer/answer: a session's direction holds for sections without one") {
    Description offer = parse(alice);
    CHECK(direction_of(offer, offer.media[0]) == Direction::SendReceive);
    offer.attributes.add("inactive");
    CHECK(direction_of(offer, offer.media[0]) == Direction::Inactive);
    set_direction(offer.media[0], Direction::SendOnly);
    CHECK(direction_of(offer, offer.media[0]) == Direction::SendOnly);
}

TEST_CASE("sdp offer/answer: an unchanged description keeps its version") {
    const Description previous = parse(alice);
    Description next = previous;
    set_version_after(next, previous);
    CHECK(next == previous);
    CHECK_FALSE(check_update(previous, next));
    next.media.emplace_back();
    set_version_after(next, previous);
    CHECK(next.origin.session_version == previous.origin.session_version + 1);
    CHECK_FALSE(check_update(previous, next));
    increment_version(next);
    CHECK(check_update(previous, next) == UpdateFault::VersionNotOneMore);
    next.origin.username = "mallory";
    CHECK(check_update(previous, next) == UpdateFault::OriginChanged);
}

TEST_CASE("sdp offer/answer: what needs a fingerprint") {
    MediaDescription section;
    for (const auto& [proto, needed] : {std::pair{"UDP/QUIC", true},
                                        {"TCP/TLS", true},
                                        {"tcp/tls", true},
                                        {"UDP/DTLS/SCTP", true},
                                        {"UDP/TLS/RTP/SAVPF", true},
                                        {"RTP/AVP", false},
                                        {"RTP/SAVP", false},
                                        {"TCP", false},
                                        {"UDP/QUICK", false}}) {
        CAPTURE(proto);
        section.proto = proto;
        CHECK(needs_fingerprint(section) == needed);
    }
}

}  // namespace
}  // namespace stile::sdp
