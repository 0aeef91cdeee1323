// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "two_sessions.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace stile::session {
namespace {

using namespace std::chrono_literals;

using test::at;
using test::config_of;
using test::fingerprint;
using test::replaced;
using test::Side;

// Without trickling.
struct Two : test::Two {
    Two() : test::Two(Fragments::NotTaken, false, Trickling::Half) {}
};

std::string without_line(const std::string& text, std::string_view start) {
    std::string result;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin) + 1;
        if (!text.substr(begin).starts_with(start)) result += text.substr(begin, end - begin);
        begin = end;
    }
    REQUIRE(result != text);
    return result;
}

TEST_CASE("http session: offer, answer, route, and each knows the other's fingerprint") {
    Two two;
    two.connect();
    CHECK(two.offerer.session.expected_fingerprints() == std::vector{fingerprint(2)});
    CHECK(two.answerer.session.expected_fingerprints() == std::vector{fingerprint(1)});
    CHECK(two.offerer.last<RouteReady>().route.kind == connect::RouteKind::Direct);
    CHECK(two.offerer.session.path().role() == ice::Role::Controlling);
    CHECK(two.answerer.session.path().role() == ice::Role::Controlled);
}

TEST_CASE("http session: the offer is as the profile wants it") {
    Two two;
    const std::string offer = two.offerer.description();
    CAPTURE(offer);
    for (const std::string_view line :
         {"m=application 9 UDP/QUIC h3\r\n", "a=setup:active\r\n",
          "a=ice-options:trickle ice2 renomination\r\n", "a=end-of-candidates\r\n",
          "a=fingerprint:sha-256 01:01:"}) {
        CAPTURE(line);
        CHECK(offer.find(line) != std::string::npos);
    }
}

TEST_CASE("http session: an answerer says nothing before the offer, and then once") {
    Two two;
    two.answerer.pass_to(Instant{} + 10s);
    CHECK(two.answerer.events.empty());
    REQUIRE(two.answerer.session.handle_offer(Instant{} + 10s, two.offerer.description()));
    two.answerer.settle();
    two.answerer.pass_to(Instant{} + 11s);
    CHECK(two.answerer.events.size() == 1);
    CHECK(two.answerer.description().find("a=setup:passive\r\n") != std::string::npos);
}

TEST_CASE("http session: offers that cannot be used are refused with their fault") {
    Two two;
    const std::string good = two.offerer.description();
    const struct {
        const char* what;
        std::string offer;
        SessionFault fault;
    } cases[] = {
        {"no SDP", "hello", SessionFault::BadDescription},
        {"nothing", "", SessionFault::BadDescription},
        {"another carrier", replaced(good, "UDP/QUIC h3", "TCP/TLS http"), SessionFault::NoCarrier},
        {"rejected", replaced(good, "m=application 9", "m=application 0"), SessionFault::NoCarrier},
        {"no ufrag", without_line(good, "a=ice-ufrag"), SessionFault::BadPath},
        {"no password", without_line(good, "a=ice-pwd"), SessionFault::BadPath},
        {"no fingerprint", without_line(good, "a=fingerprint"), SessionFault::NoFingerprint},
        {"a weak one", replaced(good, "sha-256", "sha-999"), SessionFault::NoFingerprint},
        {"no setup", without_line(good, "a=setup"), SessionFault::BadDescription},
        {"hold", replaced(good, "setup:active", "setup:holdconn"), SessionFault::BadDescription},
    };
    for (const auto& each : cases) {
        CAPTURE(each.what);
        Side answerer{config_of(Part::Answerer, "203.0.113.1:6000"), 2};
        const auto taken = answerer.session.handle_offer({}, each.offer);
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == each.fault);
        CHECK_FALSE(to_string(each.fault).empty());
    }
}

TEST_CASE("http session: answers that cannot follow the offer are refused with their fault") {
    const struct {
        const char* what;
        std::string from;
        std::string to;
        SessionFault fault;
    } cases[] = {
        {"no SDP", "v=0", "x=0", SessionFault::BadDescription},
        {"all rejected", "m=application 9", "m=application 0", SessionFault::NoCarrier},
        {"another carrier", "UDP/QUIC h3", "TCP/TLS http", SessionFault::BadDescription},
        {"the same part", "setup:passive", "setup:active", SessionFault::BadDescription},
        {"a weak fingerprint", "sha-256", "sha-999", SessionFault::NoFingerprint},
        {"a short password", "a=ice-pwd:", "a=ice-pwd:x\r\na=other:", SessionFault::BadPath},
    };
    for (const auto& each : cases) {
        CAPTURE(each.what);
        Two two;
        REQUIRE(two.answerer.session.handle_offer({}, two.offerer.description()));
        const auto taken = two.offerer.session.handle_answer(
            {}, replaced(two.answerer.description(), each.from, each.to));
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == each.fault);
    }
}

TEST_CASE("http session: of several sections the first QUIC one that is open is accepted") {
    Two two;
    const std::string good = two.offerer.description();
    const std::size_t media = good.find("m=");
    const std::string section = good.substr(media);
    const std::string offer = good.substr(0, media) +
                              replaced(section, "UDP/QUIC h3", "TCP/TLS http") +
                              replaced(section, "application 9", "application 0") + section;
    REQUIRE(two.answerer.session.handle_offer({}, offer));
    const auto answer = sdp::Description::parse(two.answerer.description());
    REQUIRE(answer);
    REQUIRE(answer->media.size() == 3);
    CHECK(answer->media[0].rejected());
    CHECK(answer->media[1].rejected());
    CHECK_FALSE(answer->media[2].rejected());
}

TEST_CASE("http session: an offer waits for a silent STUN server, but not for long") {
    HttpSessionConfig config = config_of(Part::Offerer, "192.168.1.2:5000", Trickling::Half);
    config.path.stun_servers = {at("198.51.100.1:3478")};
    Side offerer{config, 1};
    offerer.pass_to(Instant{} + limits::description_patience - 1ms);
    CHECK(offerer.count<DescriptionReady>() == 0);
    offerer.pass_to(Instant{} + limits::description_patience);
    CHECK(offerer.count<DescriptionReady>() == 1);
}

TEST_CASE("http session: for a relay an offer waits longer") {
    HttpSessionConfig config = config_of(Part::Offerer, "192.168.1.2:5000", Trickling::Half);
    config.path.turn_servers = {{at("198.51.100.1:3478"), "user", "password"}};
    Side offerer{config, 1};
    offerer.pass_to(Instant{} + limits::relay_patience - 1ms);
    CHECK(offerer.count<DescriptionReady>() == 0);
    offerer.pass_to(Instant{} + limits::relay_patience);
    CHECK(offerer.count<DescriptionReady>() == 1);
}

TEST_CASE("http session: no way to the peer in time is a failure, said once and last") {
    Two two;
    REQUIRE(two.answerer.session.handle_offer({}, two.offerer.description()));
    REQUIRE(two.offerer.session.handle_answer({}, two.answerer.description()));
    two.offerer.pass_to(Instant{} + limits::path_patience - 1ms);
    CHECK(two.offerer.count<Failed>() == 0);
    two.offerer.pass_to(Instant{} + 5min);
    REQUIRE(two.offerer.count<Failed>() == 1);
    CHECK(two.offerer.last<Failed>().fault == SessionFault::PathTimedOut);
    CHECK(std::holds_alternative<Failed>(two.offerer.events.back()));
    CHECK(two.offerer.events.size() == 2);
}

TEST_CASE("http session: a peer that falls silent is a lost route, then the end") {
    Two two;
    two.connect();
    two.offerer.pass_to(Instant{} + 5min);
    CHECK(two.offerer.count<RouteLost>() == 1);
    REQUIRE(two.offerer.count<Failed>() == 1);
    CHECK(two.offerer.last<Failed>().fault == SessionFault::PathLost);
}

}  // namespace
}  // namespace stile::session
