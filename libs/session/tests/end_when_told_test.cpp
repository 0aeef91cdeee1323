// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Ends that wait for the carrier. With QUIC: sim/sessions.
#include "two_endpoints.hpp"

namespace stile::session {
namespace {

using namespace test;

constexpr Duration patience = 3s;

TEST_CASE("end when told: data goes both ways until the time is over, then comes the BYE") {
    TwoEndpoints two;
    two.connect();
    two.bob.endpoint.end_when_told(two.now, *two.bob.session, patience);
    // A second call does not make it longer.
    two.bob.endpoint.end_when_told(two.now, *two.bob.session, 2 * patience);
    const Instant due = two.now + patience;
    two.run_to(due - 1ms);
    CHECK(two.bob.has_route());
    CHECK(two.bob.wrote("BYE ") == 0);
    CHECK(two.bob.count<Ended>() == 0);
    const Path path = two.alice.its().route()->pair;
    two.alice.endpoint.send(two.now, *two.alice.session, as_bytes("later"));
    two.alice.settle();
    REQUIRE(!two.alice.datagrams.empty());
    CHECK(two.bob.endpoint.handle_datagram(two.now, *two.bob.session, {path.remote, path.local},
                                           two.alice.datagrams.back().second));
    CHECK(two.bob.endpoint.poll_timeout() <= due);
    two.run_to(due);
    CHECK(two.bob.wrote("BYE ") == 1);
    REQUIRE(two.bob.count<Ended>() == 1);
    CHECK(two.bob.last<Ended>()->reason == EndReason::Local);
    REQUIRE(two.alice.count<Ended>() == 1);
    CHECK(two.alice.last<Ended>()->reason == EndReason::PeerEnded);
}

TEST_CASE("end when told: the peer's BYE is the end, and it is still ours") {
    TwoEndpoints two;
    two.connect();
    two.bob.endpoint.end_when_told(two.now, *two.bob.session, patience);
    two.alice.endpoint.end(two.now, *two.alice.session);
    two.run(10ms);
    CHECK(two.bob.wrote("BYE ") == 0);
    REQUIRE(two.bob.count<Ended>() == 1);
    CHECK(two.bob.last<Ended>()->reason == EndReason::Local);
    CHECK(two.bob.endpoint.sessions() == 0);
}

TEST_CASE("end when told: nobody can be told without a route, and stop() waits for nobody") {
    TwoEndpoints two;
    two.alice.session =
        two.alice.endpoint.fetch(two.now, "bob@example.org", two.path(two.alice)).value();
    two.alice.endpoint.end_when_told(two.now, *two.alice.session, patience);
    two.alice.settle();
    CHECK(two.alice.count<Ended>() == 1);
    TwoEndpoints stopped;
    stopped.connect();
    stopped.bob.endpoint.end_when_told(stopped.now, *stopped.bob.session, patience);
    stopped.bob.endpoint.stop(stopped.now);
    stopped.bob.settle();
    CHECK(stopped.bob.count<Ended>() == 1);
    CHECK(stopped.bob.wrote("BYE ") == 1);
}

}  // namespace
}  // namespace stile::session
