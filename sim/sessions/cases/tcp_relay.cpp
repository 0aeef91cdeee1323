// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "connect_cases.hpp"

// Peers that have nothing but TCP, where only a TCP allocation (RFC 6062) leads to them.
namespace stile::sim::test {
namespace {

constexpr std::uint64_t seeds_a_peer = 50;

void meet(TcpPeer does) {
    bool has_controlled = false;
    bool was_controlled = false;
    for (std::uint64_t seed = 1; seed <= seeds_a_peer; ++seed) {
        const Scene scene = tcp_peer_scene(does, seed);
        REQUIRE(expected_path(scene) == BestPath{PathKind::RelayedByOne, {}});
        const std::size_t ours = scene.tcp_peer->host == scene.left ? 1 : 0;
        (ours == 0 ? has_controlled : was_controlled) = true;
        ConnectRun run{scene, seed, seed % 2 == 0 ? Signalling::Trickled : Signalling::Whole};
        const auto problem = run.run();
        CHECK_MESSAGE(!problem, scene.name, ", seed ", seed, ": ", problem.value_or(""),
                      run.report());
        const auto route = run.side(ours).connector.route();
        REQUIRE(route);
        CHECK(route->transport == turn::ClientTransport::Tls);
        CHECK(route->local_type == ice::CandidateType::Relayed);
        const auto theirs = run.side(1 - ours).connector.route();
        REQUIRE(theirs);
        CHECK(theirs->kind == connect::RouteKind::Relayed);
        CHECK(theirs->wire.remote.ip == route->pair.local.ip);
    }
    CHECK(has_controlled);
    CHECK(was_controlled);
}

TEST_CASE("connect: only port 443 is open, and the peer does nothing but listen over TCP") {
    meet(TcpPeer::Listens);
}

TEST_CASE("connect: only port 443 is open, and the peer does nothing but open TCP connections") {
    meet(TcpPeer::Opens);
}

}  // namespace
}  // namespace stile::sim::test
