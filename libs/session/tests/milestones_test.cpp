// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "two_sessions.hpp"

namespace stile::session {
namespace {

using namespace test;

TEST_CASE("milestones: each is noted when it is reached, and a restart changes none") {
    Two two{Fragments::Taken, true};
    two.now += 10ms;
    const std::string offer = two.offerer.description();
    const Milestones& offerers = two.offerer.session.milestones();
    CHECK(offerers.begun == Instant{});
    CHECK(offerers.described == Instant{});
    CHECK(!offerers.gathered);
    CHECK(!offerers.agreed);
    REQUIRE(two.answerer.session.handle_offer(two.now, offer, Fragments::Taken));
    CHECK(two.answerer.session.milestones().agreed == two.now);
    two.run(limits::description_patience);
    const Instant answered = two.now;
    REQUIRE(
        two.offerer.session.handle_answer(answered, two.answerer.description(), Fragments::Taken));
    two.run(20s);
    CHECK(offerers.agreed == answered);
    REQUIRE(offerers.routed);
    CHECK(*offerers.routed >= answered);
    CHECK(*offerers.routed < answered + 1s);
    // Its server does not answer.
    REQUIRE(offerers.gathered);
    CHECK(*offerers.gathered >= Instant{} + connect::limits::source_deadline);
    CHECK(two.answerer.session.milestones().gathered);
    const auto before = offerers;
    two.offerer.session.handle_host_added(two.now, at("198.51.100.77:7000"));
    two.run(limits::least_restart_interval);
    two.restart(two.offerer, two.answerer);
    two.run(12s);
    CHECK(offerers.described == before.described);
    CHECK(offerers.agreed == before.agreed);
    CHECK(offerers.routed == before.routed);
    CHECK(offerers.gathered == before.gathered);
}

}  // namespace
}  // namespace stile::session
