// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Candidates after the descriptions, without SIP. RFC 8838, RFC 8840.
#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <vector>

namespace stile::session {
namespace {

using namespace std::chrono_literals;

SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

// A side whose only STUN server never answers: gathering ends by its deadline.
HttpSessionConfig config_of(Part part, Trickling trickling = Trickling::Full) {
    HttpSessionConfig config;
    config.part = part;
    config.trickling = trickling;
    config.path.hosts = {at(part == Part::Offerer ? "192.0.2.1:5000" : "203.0.113.1:6000")};
    config.path.stun_servers = {at("198.51.100.1:3478")};
    config.fingerprint = {.hash = identity::HashFunction::Sha256,
                          .octets = crypto::Digest{BytesView{Bytes(32, std::byte{1})}}};
    return config;
}

struct Side {
    HttpSession session;
    Instant now{};
    std::vector<HttpSessionEvent> events = {};

    explicit Side(Part part, Trickling trickling = Trickling::Full)
        : session(Instant{}, config_of(part, trickling),
                  crypto::RandomStream{crypto::seed_from_number(part == Part::Offerer ? 1 : 2)}) {
        settle();
    }
    std::optional<Instant> settle() {
        return drain(
            session, [](const Transmit&) {},
            [&](HttpSessionEvent event) { events.push_back(std::move(event)); });
    }
    // Nothing arrives until then.
    void pass_to(Instant end) {
        for (auto next = settle(); next && *next <= end; next = settle()) {
            session.handle_timeout(now = *next);
        }
        now = end;
    }
    std::vector<std::string> descriptions() const {
        std::vector<std::string> found;
        for (const HttpSessionEvent& event : events) {
            if (const auto* const ready = std::get_if<DescriptionReady>(&event)) {
                found.push_back(ready->sdp);
            }
        }
        return found;
    }
    std::string description() {
        settle();
        REQUIRE_FALSE(descriptions().empty());
        return descriptions().back();
    }
    std::size_t remote_candidates() const {
        std::vector<SocketAddress> seen;
        for (const ice::PairReport& pair : session.path().pairs()) {
            if (std::ranges::find(seen, pair.path.remote) == seen.end()) {
                seen.push_back(pair.path.remote);
            }
        }
        return seen.size();
    }
};

struct Two {
    Side offerer{Part::Offerer};
    Side answerer{Part::Answerer};

    void exchange(Fragments fragments = Fragments::Taken) {
        REQUIRE(answerer.session.handle_offer({}, offerer.description(), fragments));
        REQUIRE(offerer.session.handle_answer({}, answerer.description(), fragments));
        offerer.settle();
        answerer.settle();
    }
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t found = text.find(from);
    REQUIRE(found != std::string::npos);
    return text.replace(found, from.size(), to);
}

// The fragment of the peer with one candidate more.
std::string with_candidate(const std::string& description, std::string_view address, int port) {
    const auto parsed = sdp::Description::parse(description);
    REQUIRE(parsed);
    const auto carrier = sdp::read_carrier(*parsed, 0);
    REQUIRE(carrier);
    std::string text = "m=audio 9 RTP/AVP 0\r\na=mid:" + carrier->mid.value() + "\r\n";
    for (const sdp::Candidate& candidate : carrier->candidates) {
        text += "a=candidate:" + candidate.value().value() + "\r\n";
    }
    text += "a=candidate:9 1 UDP 1694498815 " + std::string{address} + ' ' + std::to_string(port) +
            " typ srflx raddr 0.0.0.0 rport 9\r\n";
    return text + "a=ice-ufrag:" + carrier->ufrag + "\r\na=ice-pwd:" + carrier->pwd + "\r\n";
}

TEST_CASE("trickle: a full offer leaves at once with the candidates that are there") {
    Side offerer{Part::Offerer};
    const std::string offer = offerer.description();
    CAPTURE(offer);
    for (const std::string_view line :
         {"a=ice-options:trickle ice2 renomination\r\n", "a=mid:quic\r\n",
          " 192.0.2.1 5000 typ host\r\n", "m=application 9 "}) {
        CAPTURE(line);
        CHECK(offer.find(line) != std::string::npos);
    }
    CHECK(offer.find("end-of-candidates") == std::string::npos);
}

TEST_CASE("trickle: a lite agent's offer makes the answerer controlling, RFC 8839 Section 5.3") {
    Side offerer{Part::Offerer};
    for (const bool lite : {false, true}) {
        CAPTURE(lite);
        Side answerer{Part::Answerer};
        std::string offer = offerer.description();
        if (lite) offer = replaced(offer, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
        REQUIRE(answerer.session.handle_offer({}, offer));
        CHECK(answerer.session.path().role() ==
              (lite ? ice::Role::Controlling : ice::Role::Controlled));
    }
}

TEST_CASE("trickle: a half offer waits, and an answer to an offer that trickles does not") {
    Side offerer{Part::Offerer, Trickling::Half};
    CHECK(offerer.descriptions().empty());
    offerer.pass_to(Instant{} + limits::description_patience);
    const std::string offer = offerer.description();
    CHECK(offer.find("a=ice-options:trickle ice2 renomination\r\n") != std::string::npos);
    Side answerer{Part::Answerer};
    REQUIRE(answerer.session.handle_offer({}, offer, Fragments::Taken));
    const std::string answer = answerer.description();
    CHECK(answer.find("a=ice-options:trickle ice2 renomination\r\n") != std::string::npos);
    CHECK(answer.find("a=mid:quic\r\n") != std::string::npos);
    CHECK(answer.find("end-of-candidates") == std::string::npos);
}

TEST_CASE("trickle: who does not trickle, or takes no fragments, gets an answer with everything") {
    const std::string offer = Side{Part::Offerer}.description();
    const struct {
        const char* what;
        std::string offer;
        Fragments fragments;
        const char* options;
    } cases[] = {
        {"no trickling", replaced(offer, "trickle ice2", "ice2"), Fragments::Taken,
         "a=ice-options:ice2 renomination\r\n"},
        {"no fragments", offer, Fragments::NotTaken, "a=ice-options:trickle ice2 renomination\r\n"},
        {"no mid", replaced(offer, "a=mid:quic", "a=other:quic"), Fragments::Taken,
         "a=ice-options:trickle ice2 renomination\r\n"},
    };
    for (const auto& each : cases) {
        CAPTURE(each.what);
        Side answerer{Part::Answerer};
        REQUIRE(answerer.session.handle_offer({}, each.offer, each.fragments));
        answerer.pass_to(Instant{} + limits::description_patience - 1ms);
        CHECK(answerer.descriptions().empty());
        answerer.pass_to(Instant{} + limits::description_patience);
        CHECK(answerer.description().find(each.options) != std::string::npos);
        answerer.pass_to(Instant{} + 10s);
        CHECK_FALSE(answerer.session.poll_fragment());
    }
}

TEST_CASE("trickle: nothing is told before the descriptions, and what is new is told once") {
    Two two;
    CHECK_FALSE(two.offerer.session.poll_fragment());
    two.exchange();
    CHECK_FALSE(two.offerer.session.poll_fragment());
    CHECK_FALSE(two.answerer.session.poll_fragment());
    for (Side* const side : {&two.offerer, &two.answerer}) {
        side->pass_to(Instant{} + connect::limits::source_deadline + 1s);
        const auto fragment = side->session.poll_fragment();
        REQUIRE(fragment);
        // All that was told before is in it.
        CHECK(fragment->find(" typ host\r\n") != std::string::npos);
        CHECK(fragment->find("a=end-of-candidates\r\n") != std::string::npos);
        CHECK_FALSE(side->session.poll_fragment());
        side->session.handle_fragment_lost();
        CHECK(side->session.poll_fragment() == fragment);
    }
}

TEST_CASE("trickle: a peer's later candidate is checked, however often it is told") {
    Two two;
    two.exchange();
    const std::string description = two.answerer.description();
    const std::string one = with_candidate(description, "203.0.113.7", 7000);
    CHECK(two.offerer.remote_candidates() == 1);
    for (int i = 0; i < 3; ++i) {
        CHECK(two.offerer.session.handle_fragment({}, one));
        two.offerer.settle();
        CHECK(two.offerer.remote_candidates() == 2);
    }
    // One that was overtaken by a later one.
    const std::string two_more = with_candidate(description, "203.0.113.8", 7001);
    CHECK(two.offerer.session.handle_fragment({}, two_more));
    CHECK(two.offerer.session.handle_fragment({}, one));
    CHECK(two.offerer.remote_candidates() == 3);
}

TEST_CASE("trickle: a fragment of another generation changes nothing") {
    Two two;
    two.exchange();
    const std::string description = two.answerer.description();
    const auto carrier = sdp::read_carrier(*sdp::Description::parse(description), 0);
    REQUIRE(carrier);
    const std::string good = with_candidate(description, "203.0.113.7", 7000);
    for (const std::string& bad : {replaced(good, carrier->ufrag, "anotherone"),
                                   replaced(good, carrier->pwd, "anotherpasswordofenough")}) {
        const auto taken = two.offerer.session.handle_fragment({}, bad);
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == FragmentFault::OtherGeneration);
        CHECK(two.offerer.remote_candidates() == 1);
    }
    CHECK(two.offerer.session.handle_fragment({}, "hello").error() == FragmentFault::Malformed);
}

TEST_CASE("trickle: after the peer's end nothing more is taken from it") {
    Two two;
    two.exchange();
    const std::string description = two.answerer.description();
    const std::string good = with_candidate(description, "203.0.113.7", 7000);
    CHECK(two.offerer.session.handle_fragment({}, good + "a=end-of-candidates\r\n"));
    CHECK(
        two.offerer.session.handle_fragment({}, with_candidate(description, "203.0.113.8", 7001)));
    CHECK(two.offerer.remote_candidates() == 2);
}

TEST_CASE("trickle: a fragment that overtakes the answer is kept until it comes") {
    Two two;
    REQUIRE(two.answerer.session.handle_offer({}, two.offerer.description(), Fragments::Taken));
    const std::string answer = two.answerer.description();
    CHECK(two.offerer.session.handle_fragment({}, with_candidate(answer, "203.0.113.7", 7000)));
    CHECK(two.offerer.session.handle_fragment({}, with_candidate(answer, "203.0.113.8", 7001)));
    CHECK(two.offerer.remote_candidates() == 0);
    REQUIRE(two.offerer.session.handle_answer({}, answer, Fragments::Taken));
    CHECK(two.offerer.remote_candidates() == 2);
}

TEST_CASE("trickle: a peer's candidates are limited, over all fragments together") {
    Two two;
    two.exchange();
    const std::string description = two.answerer.description();
    for (int i = 0; i < 2 * static_cast<int>(ice::limits::most_remote_candidates); ++i) {
        CHECK(two.offerer.session.handle_fragment(
            {}, with_candidate(description, "203.0.113.7", 7000 + i)));
    }
    CHECK(two.offerer.remote_candidates() <= ice::limits::most_remote_candidates);
}

TEST_CASE("trickle: an offer that was refused comes again with everything") {
    Side offerer{Part::Offerer};
    const std::string first = offerer.description();
    offerer.pass_to(Instant{} + 100ms);
    offerer.session.wait_for_candidates(offerer.now);
    offerer.settle();
    CHECK(offerer.descriptions().size() == 1);
    offerer.pass_to(Instant{} + 100ms + limits::description_patience);
    REQUIRE(offerer.descriptions().size() == 2);
    // The same generation of the same path.
    const auto carrier = sdp::read_carrier(*sdp::Description::parse(first), 0);
    CHECK(offerer.description().find("a=ice-ufrag:" + carrier->ufrag) != std::string::npos);
    // An answer of who does not trickle is the end of candidates.
    Side answerer{Part::Answerer};
    REQUIRE(
        answerer.session.handle_offer({}, replaced(offerer.description(), "trickle ice2", "ice2")));
    answerer.pass_to(Instant{} + limits::description_patience);
    REQUIRE(offerer.session.handle_answer(offerer.now, answerer.description()));
    offerer.pass_to(offerer.now + 10s);
    CHECK_FALSE(offerer.session.poll_fragment());
}

}  // namespace
}  // namespace stile::session
