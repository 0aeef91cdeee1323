// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// ICE anew by later offers, without SIP. RFC 8445 Section 9, RFC 8839 Section 4.4.
#include "two_sessions.hpp"

namespace stile::session {
namespace {

using namespace test;

TEST_CASE("restart: while all works nothing asks for one") {
    Two two;
    CHECK_FALSE(two.offerer.session.restart_due());
    two.connect();
    two.run(5min);
    for (Side* const side : {&two.offerer, &two.answerer}) {
        CHECK_FALSE(side->session.restart_due());
        CHECK(side->count<RouteLost>() == 0);
    }
}

TEST_CASE("restart: a socket more, either side's, moves the path there without a gap") {
    for (const Part part : {Part::Offerer, Part::Answerer}) {
        CAPTURE(static_cast<int>(part));
        Two two;
        two.connect();
        Side& mover = part == Part::Offerer ? two.offerer : two.answerer;
        Side& other = part == Part::Offerer ? two.answerer : two.offerer;
        const std::string before = mover.description();
        mover.session.handle_host_added(two.now, at("192.0.2.77:7000"));
        // Those that come together are one restart.
        CHECK(mover.session.restart_due() == two.now + limits::network_settling);
        two.run(limits::network_settling);
        two.restart(mover, other);
        const std::string after = mover.description();
        CHECK(carrier_of(after).ufrag != carrier_of(before).ufrag);
        CHECK(carrier_of(after).pwd != carrier_of(before).pwd);
        CHECK(carrier_of(after).tls_id == carrier_of(before).tls_id);
        CHECK(carrier_of(after).setup == carrier_of(before).setup);
        CHECK(carrier_of(after).fingerprints == carrier_of(before).fingerprints);
        CHECK(origin_of(after).session_id == origin_of(before).session_id);
        CHECK(origin_of(after).session_version == origin_of(before).session_version + 1);
        CHECK(after.find("192.0.2.77 7000 typ host") != std::string::npos);
        CHECK(mover.session.route());
        CHECK(other.session.route());
        two.run(12s);
        const SocketAddress old = at(part == Part::Offerer ? "192.0.2.1:5000" : "203.0.113.1:6000");
        mover.session.handle_host_removed(two.now, old);
        two.run(0s);
        CHECK(two.offerer.session.generation() == 1);
        CHECK(two.answerer.session.generation() == 1);
        // Roles stay. RFC 8445 Section 9.
        CHECK(two.offerer.session.path().role() == ice::Role::Controlling);
        CHECK(two.answerer.session.path().role() == ice::Role::Controlled);
    }
}

TEST_CASE("restart: a listener that comes before a socket is told with it, one that goes is not") {
    Two two;
    two.connect();
    const auto listener = [](const char* address) {
        return connect::Listener{at(address), ice::TcpType::Passive};
    };
    two.offerer.session.handle_listener_added(two.now, listener("192.0.2.1:7100"));
    // A listener alone is no reason for another restart: UDP works.
    CHECK_FALSE(two.offerer.session.restart_due());
    two.offerer.session.handle_listener_added(two.now, listener("192.0.2.77:7001"));
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.offerer.session.handle_listener_removed(two.now, listener("192.0.2.1:7100"));
    two.run(limits::network_settling);
    two.restart(two.offerer, two.answerer);
    const std::string told = two.offerer.description();
    CHECK(told.find("192.0.2.77 7000 typ host") != std::string::npos);
    CHECK(told.find("192.0.2.77 7001 typ host tcptype passive") != std::string::npos);
    CHECK(told.find("192.0.2.1 7100") == std::string::npos);
}

TEST_CASE("restart: a socket that is gone is a lost route, and the next one's restart heals it") {
    for (const Part part : {Part::Offerer, Part::Answerer}) {
        CAPTURE(static_cast<int>(part));
        Two two;
        two.connect();
        Side& mover = part == Part::Offerer ? two.offerer : two.answerer;
        Side& other = part == Part::Offerer ? two.answerer : two.offerer;
        const SocketAddress old = at(part == Part::Offerer ? "192.0.2.1:5000" : "203.0.113.1:6000");
        mover.session.handle_host_removed(two.now, old);
        two.run(0s);
        CHECK(mover.count<RouteLost>() == 1);
        CHECK_FALSE(mover.session.route());
        // With no socket there is nothing to tell.
        CHECK_FALSE(mover.session.restart_due());
        two.run(3s);
        mover.session.handle_host_added(two.now, at("192.0.2.77:7000"));
        CHECK(mover.session.restart_due().value() <= two.now);
        two.restart(mover, other);
        two.run(1s);
        REQUIRE(mover.session.route());
        REQUIRE(other.session.route());
        CHECK(mover.session.route()->pair.local == at("192.0.2.77:7000"));
        CHECK(other.session.route()->pair.remote == at("192.0.2.77:7000"));
        // The other side has not even noticed.
        CHECK(other.count<RouteLost>() == 0);
        two.run(5min);
        CHECK(mover.count<Failed>() == 0);
        CHECK(other.count<Failed>() == 0);
        CHECK_FALSE(mover.session.restart_due());
    }
}

TEST_CASE("restart: expired consent asks for one, and silence beyond patience is the end") {
    Two two;
    two.connect();
    two.line = Line::Cut;
    const Instant cut = two.now;
    two.run(36s);
    for (Side* const side : {&two.offerer, &two.answerer}) {
        REQUIRE(side->count<RouteLost>() == 1);
        CHECK(side->count<Failed>() == 0);
        const auto due = side->session.restart_due();
        REQUIRE(due);
        CHECK(*due > cut + 24s);
        CHECK(*due <= two.now);
    }
    SUBCASE("the line comes back") {
        two.line = Line::Open;
        two.restart(two.answerer, two.offerer);
        two.run(1s);
        CHECK(two.offerer.session.route());
        CHECK(two.answerer.session.route());
        two.run(5min);
        CHECK(two.offerer.count<Failed>() == 0);
    }
    SUBCASE("it does not") {
        const Instant end = *two.offerer.session.restart_due() + limits::lost_patience;
        two.run(end - two.now - 1ms);
        CHECK(two.offerer.count<Failed>() == 0);
        two.run(1ms);
        REQUIRE(two.offerer.count<Failed>() == 1);
        CHECK(two.offerer.last<Failed>().fault == SessionFault::PathLost);
        CHECK_FALSE(two.offerer.session.restart_due());
    }
    SUBCASE("it does not, whatever is tried") {
        two.restart(two.offerer, two.answerer);
        two.run(limits::lost_patience);
        REQUIRE(two.offerer.count<Failed>() == 1);
        CHECK(two.offerer.last<Failed>().fault == SessionFault::PathLost);
    }
}

TEST_CASE("restart: candidates trickle in the new generation, old fragments are ignored") {
    Two two{Fragments::Taken, true};
    two.connect();
    const auto last_of = [&](Side& side) {
        side.session.handle_fragment_lost();
        return side.session.poll_fragment();
    };
    const std::string old = last_of(two.offerer).value();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.restart(two.offerer, two.answerer);
    CHECK_FALSE(two.offerer.session.poll_fragment());
    CHECK(two.answerer.session.handle_fragment(two.now, old).error() ==
          FragmentFault::OtherGeneration);
    // A socket that comes while gathering goes on is told by a fragment, without another restart.
    two.offerer.session.handle_host_added(two.now, at("192.0.2.78:7001"));
    two.run(0s);
    CHECK_FALSE(two.offerer.session.restart_due());
    const auto fragment = two.offerer.session.poll_fragment();
    REQUIRE(fragment);
    CHECK(fragment->find("192.0.2.78 7001 typ host") != std::string::npos);
    CHECK(fragment->find(carrier_of(two.offerer.description()).ufrag) != std::string::npos);
    CHECK(two.answerer.session.handle_fragment(two.now, *fragment));
}

TEST_CASE("restart: between offer and answer fragments of before are ignored, later ones kept") {
    Two two;
    two.connect();
    two.answerer.session.handle_fragment_lost();
    const std::string old = two.answerer.session.poll_fragment().value();
    two.offerer.session.handle_host_removed(two.now, at("192.0.2.1:5000"));
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(0s);
    two.offerer.session.restart(two.now);
    REQUIRE(
        two.answerer.session.handle_offer(two.now, two.offerer.description(), Fragments::Taken));
    const std::string answer = two.answerer.description();
    CHECK(two.offerer.session.handle_fragment(two.now, old).error() ==
          FragmentFault::OtherGeneration);
    two.answerer.session.handle_fragment_lost();
    const auto overtaking = two.answerer.session.poll_fragment();
    REQUIRE(overtaking);
    CHECK(two.offerer.session.handle_fragment(two.now, *overtaking));
    CHECK_FALSE(two.offerer.session.poll_fragment());
    REQUIRE(two.offerer.session.handle_answer(two.now, answer, Fragments::Taken));
    two.run(1s);
    CHECK(two.offerer.session.route());
}

TEST_CASE("restart: who takes no fragments gets everything in the offer") {
    Two two{Fragments::NotTaken, true};
    two.run(limits::description_patience);
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    two.run(0s);
    CHECK(two.offerer.last<DescriptionReady>().sdp.find("192.0.2.77") == std::string::npos);
    two.run(limits::description_patience);
    CHECK(two.offerer.last<DescriptionReady>().sdp.find("192.0.2.77") != std::string::npos);
    CHECK(two.offerer.session.has_offer());
}

TEST_CASE("restart: a new generation that finds nothing leaves data where it was") {
    Two two;
    two.connect();
    const connect::Route before = two.offerer.session.route().value();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    REQUIRE(two.answerer.session.handle_offer(two.now, two.offerer.description(), two.fragments));
    // The answer names a place where nobody is.
    std::string answer = two.answerer.description();
    while (answer.find("203.0.113.1 6000") != std::string::npos) {
        answer = replaced(answer, "203.0.113.1 6000", "203.0.113.9 6000");
    }
    answer = replaced(answer, carrier_of(answer).pwd, std::string(24, 'x'));
    REQUIRE(two.offerer.session.handle_answer(two.now, answer, two.fragments));
    two.run(2min);
    REQUIRE(two.offerer.session.route());
    CHECK(two.offerer.session.route()->pair == before.pair);
    CHECK(two.offerer.count<RouteLost>() == 0);
    CHECK(two.offerer.count<Failed>() == 0);
    // It is worth another try.
    CHECK(two.offerer.session.restart_due());
}

}  // namespace
}  // namespace stile::session
