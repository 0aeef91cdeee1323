// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A host that leaves a network for another one.
#include "network.hpp"

namespace stile::ice {
namespace {

using namespace testing;

// Several addresses each, and every path between them works.
struct Homes {
    TwoHosts two;

    explicit Homes(int addresses, Renomination renomination = Renomination::Offered)
        : two({.nomination_patience = 500ms}, 1) {
        for (int i = 2; i <= addresses; ++i) {
            two.left.add_host(start, "192.0.2." + std::to_string(i) + ":1000");
            two.right.add_host(start, "203.0.113." + std::to_string(i) + ":2000");
        }
        know(two.left, two.right, renomination);
        know(two.right, two.left, renomination);
        end_candidates(start, two.left, two.right);
        two.network.run_for(5s);
        REQUIRE(two.left.agent.state() == State::Completed);
        REQUIRE(two.right.agent.state() == State::Completed);
    }
    void leave(Peer& peer, std::string_view address) {
        std::erase(peer.sockets, at(address));
        peer.agent.remove_base(two.network.now, at(address));
    }

private:
    static void know(Peer& one, const Peer& other, Renomination renomination) {
        REQUIRE(one.agent.set_remote(start, {.credentials = other.agent.local_credentials(),
                                             .kind = PeerKind::Full,
                                             .ta = {},
                                             .renomination = renomination}));
        for (const Candidate& candidate : other.candidates) {
            REQUIRE(one.agent.add_remote_candidate(start, candidate));
        }
    }
};

TEST_CASE("ice uplink: of many sockets the one in use goes, and another one takes over") {
    // So many that pairs were forgotten at the nomination, and are made anew while others fail.
    Homes homes{8};
    for (int i = 0; i < 7; ++i) {
        const SocketAddress used = homes.two.left.agent.selected()->local;
        homes.leave(homes.two.left, used.to_string());
        homes.two.network.run_for(2s);
        REQUIRE(homes.two.left.agent.state() == State::Completed);
        CHECK(homes.two.left.agent.selected()->local != used);
        CHECK(homes.two.right.agent.selected()->remote == homes.two.left.agent.selected()->local);
    }
}

}  // namespace
}  // namespace stile::ice
