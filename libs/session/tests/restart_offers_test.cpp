// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Later offers and answers that are refused, repeated or cross. RFC 8839 Section 4.4.
#include "two_sessions.hpp"

namespace stile::session {
namespace {

using namespace test;

TEST_CASE("restart: an offer that is refused leaves the session as it was") {
    Two two;
    two.connect();
    const connect::Route before = two.offerer.session.route().value();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    for (int i = 0; i < 3; ++i) {
        two.run(1s);
        REQUIRE(two.offerer.session.restart_due());
        two.offerer.session.restart(two.now);
        two.run(0s);
        CHECK(two.offerer.session.has_offer());
        CHECK_FALSE(two.offerer.session.restart_due());
        two.offerer.session.handle_offer_refused(two.now);
        CHECK_FALSE(two.offerer.session.has_offer());
    }
    CHECK(two.offerer.count<DescriptionReady>() == 4);
    // For as long as they want, with consent both ways.
    two.run(10min);
    CHECK(two.offerer.session.route()->pair == before.pair);
    CHECK(two.answerer.session.route());
    CHECK(two.offerer.count<RouteLost>() == 0);
    CHECK(two.answerer.count<RouteLost>() == 0);
    // It may be tried again, by either side.
    two.restart(two.offerer, two.answerer);
    two.run(12s);
    CHECK(two.offerer.session.path().state() == ice::State::Completed);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
}

TEST_CASE("restart: after a refusal the peer's own offer is taken") {
    Two two;
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.answerer.session.handle_host_added(two.now, at("203.0.113.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    two.run(0s);
    two.offerer.session.handle_offer_refused(two.now);
    two.restart(two.answerer, two.offerer);
    two.run(12s);
    CHECK(two.offerer.session.path().state() == ice::State::Completed);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
    CHECK_FALSE(two.offerer.session.restart_due());
    CHECK_FALSE(two.answerer.session.restart_due());
}

TEST_CASE("restart: an offer that cannot be taken changes nothing") {
    Two two;
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    const std::string good = two.offerer.description();
    const auto now_carrier = carrier_of(good);
    const Side& told = two.offerer;
    std::string first;
    for (const HttpSessionEvent& event : told.events) {
        const auto* const ready = std::get_if<DescriptionReady>(&event);
        if (ready != nullptr && first.empty()) first = ready->sdp;
    }
    const auto old_carrier = carrier_of(first);
    const struct {
        const char* what;
        std::string sdp;
        SessionFault fault;
    } cases[] = {
        {"no SDP", "hello", SessionFault::BadDescription},
        {"the section is refused", replaced(good, "m=application 9 ", "m=application 0 "),
         SessionFault::NoCarrier},
        {"another carrier", replaced(good, "UDP/QUIC h3", "TCP/TLS http"), SessionFault::NoCarrier},
        {"the user fragment alone is new", replaced(good, now_carrier.pwd, old_carrier.pwd),
         SessionFault::BadPath},
        {"the password alone is new", replaced(good, now_carrier.ufrag, old_carrier.ufrag),
         SessionFault::BadPath},
        {"a short password", replaced(good, now_carrier.pwd, "short"), SessionFault::BadPath},
        // A middle that would like to be the other end from now on.
        {"another certificate", replaced(good, "sha-256 01:01", "sha-256 02:01"),
         SessionFault::BadDescription},
        {"another connection", replaced(good, *now_carrier.tls_id, "aaaaaaaaaaaaaaaaaaaaaaaa"),
         SessionFault::BadDescription},
    };
    const connect::Description before = two.answerer.session.path().local_description();
    for (const auto& each : cases) {
        CAPTURE(each.what);
        const auto taken = two.answerer.session.handle_offer(two.now, each.sdp, two.fragments);
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == each.fault);
        two.answerer.settle();
        CHECK(two.answerer.session.path().local_description() == before);
        CHECK(two.answerer.count<DescriptionReady>() == 1);
        CHECK(two.answerer.session.route());
    }
    CHECK(two.answerer.session.generation() == 0);
    CHECK(two.answerer.session.handle_offer(two.now, good, two.fragments));
    CHECK(two.answerer.session.generation() == 1);
}

TEST_CASE("restart: an answer that cannot be taken is a refusal") {
    for (int variant = 0; variant < 4; ++variant) {
        CAPTURE(variant);
        Two two;
        two.connect();
        const auto old = carrier_of(two.answerer.description());
        two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
        two.run(1s);
        two.offerer.session.restart(two.now);
        REQUIRE(
            two.answerer.session.handle_offer(two.now, two.offerer.description(), two.fragments));
        const std::string good = two.answerer.description();
        const auto renewed = carrier_of(good);
        const std::string bad[] = {
            "hello",
            replaced(good, renewed.ufrag, old.ufrag),  // no restart
            replaced(good, "m=application 9 ", "m=application 0 "),
            replaced(good, "sha-256 02:02", "sha-256 01:02"),
        };
        CHECK_FALSE(two.offerer.session.handle_answer(two.now, bad[variant], two.fragments));
        CHECK_FALSE(two.offerer.session.has_offer());
        two.run(2min);
        CHECK(two.offerer.session.route());
        CHECK(two.answerer.session.route());
    }
}

TEST_CASE("restart: the same offer again is answered with the same, and restarts nothing") {
    Two two;
    two.connect();
    const std::string answer = two.answerer.description();
    REQUIRE(two.answerer.session.handle_offer(two.now, two.offerer.description(), two.fragments));
    two.run(0s);
    CHECK(two.answerer.count<DescriptionReady>() == 2);
    CHECK(carrier_of(two.answerer.description()).ufrag == carrier_of(answer).ufrag);
    CHECK(two.answerer.session.generation() == 0);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
}

TEST_CASE("restart: the peer's offer comes while ours is being prepared, and is answered") {
    Two two{Fragments::NotTaken, true};
    two.run(limits::description_patience);
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.answerer.session.handle_host_added(two.now, at("203.0.113.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    CHECK(two.offerer.session.has_offer());
    two.answerer.session.restart(two.now);
    two.run(0s);
    REQUIRE(two.offerer.session.handle_offer(two.now, two.answerer.description(), two.fragments));
    CHECK_FALSE(two.offerer.session.has_offer());
    two.run(limits::description_patience);
    REQUIRE(two.offerer.last<DescriptionReady>().kind == DescriptionKind::Answer);
    REQUIRE(two.answerer.session.handle_answer(two.now, two.offerer.description(), two.fragments));
    two.run(12s);
    CHECK(two.offerer.session.path().state() == ice::State::Completed);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
    CHECK(two.offerer.session.generation() == 1);
}

}  // namespace
}  // namespace stile::session
