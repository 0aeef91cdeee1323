// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "hosts.hpp"

#include <stile/ice/outstanding_check.hpp>

namespace stile::ice {
namespace {

using namespace testing;
using Due = OutstandingCheck::Due;

constexpr CheckContent content{.priority = 1, .role = Role::Controlling};

stun::ClientTransaction transaction(Instant now, const stun::RetransmitSchedule& schedule) {
    return {now, build_check({}, "a:b", content, stun::IntegrityKey::short_term("password")),
            schedule};
}

TEST_CASE("ice outstanding check: sends and gives up when a client transaction does") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        auto random = random_from(seed);
        const stun::RetransmitSchedule schedule =
            seed % 5 == 0 ? stun::RetransmitSchedule::reliable()
                          : stun::RetransmitSchedule{
                                .rto = std::chrono::milliseconds{500 + random.below(500)},
                                .rc = static_cast<std::uint32_t>(1 + random.below(8))};
        OutstandingCheck ours{start, {1}, {}, content, schedule};
        auto theirs = transaction(start, schedule);
        REQUIRE(theirs.poll_transmit());
        const std::uint64_t cancel_after = random.below(10);
        for (std::uint64_t step = 0;; ++step) {
            if (step == cancel_after) {
                ours.cancel();
                theirs.stop_retransmitting(start);
            }
            REQUIRE(theirs.poll_timeout());
            CHECK(ours.deadline() == *theirs.poll_timeout());
            CHECK(ours.handle_timeout(ours.deadline() - 1ns) == Due::Nothing);
            // Late, too.
            const Instant now = ours.deadline() + std::chrono::milliseconds{random.below(200)};
            const Due due = ours.handle_timeout(now);
            theirs.handle_timeout(now);
            CHECK((due == Due::SendAgain) == theirs.poll_transmit().has_value());
            CHECK((due == Due::TimedOut) == theirs.finished());
            if (due == Due::TimedOut) break;
        }
    }
}

TEST_CASE("ice outstanding check: a round trip is known if it was sent once") {
    OutstandingCheck check{start, {1}, {}, content, {}};
    CHECK(check.round_trip(start + 70ms) == 70ms);
    check.handle_timeout(start + 500ms);
    CHECK_FALSE(check.round_trip(start + 570ms));
}

TEST_CASE("ice outstanding check: a forged answer ends it only where no other can come") {
    OutstandingCheck datagram{start, {1}, {}, content, {}};
    datagram.handle_forged(start + 1ms);
    CHECK(datagram.deadline() == start + 500ms);
    OutstandingCheck stream{start, {1}, {}, content, stun::RetransmitSchedule::reliable()};
    stream.handle_forged(start + 1ms);
    CHECK(stream.handle_timeout(start + 1ms) == Due::TimedOut);
}

TEST_CASE("ice outstanding check: a hundred of them are small") {
    CHECK(sizeof(OutstandingCheck) <= 96);
}

}  // namespace
}  // namespace stile::ice
