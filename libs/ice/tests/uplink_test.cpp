// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A host that leaves a network for another one, and the peer that sees it by its data.
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
    void hear(Peer& peer, const Path& path) const {
        peer.agent.handle_data(two.network.now, {.path = path, .connection = {}});
    }
    // What the application of `from` sends arrives, by the way that is selected there.
    void send_data(Peer& from, Peer& to) {
        const auto path = from.agent.selected();
        REQUIRE(path);
        hear(to, {.local = path->remote, .remote = path->local});
        two.network.run_for(1ms);
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

TEST_CASE(
    "ice uplink: a controlling agent follows the peer's data at once, and nominates its way") {
    Homes homes{2};
    Peer& mover = homes.two.right;
    Peer& stayer = homes.two.left;
    REQUIRE(stayer.agent.role() == Role::Controlling);
    const SocketAddress old = mover.agent.selected()->local;
    homes.leave(mover, old.to_string());
    homes.two.network.run_for(100ms);
    REQUIRE(mover.agent.selected());
    REQUIRE(mover.agent.selected()->local != old);
    // Nothing has told it yet, and its consent lasts.
    CHECK(stayer.agent.selected()->remote == old);
    homes.send_data(mover, stayer);
    CHECK(stayer.agent.selected()->remote == mover.agent.selected()->local);
    homes.two.network.run_for(60s);
    CHECK(stayer.agent.state() == State::Completed);
    CHECK(stayer.agent.selected()->remote == mover.agent.selected()->local);
    CHECK(mover.nominated());
}

TEST_CASE("ice uplink: data on the way back is followed back, and what works is nominated again") {
    Homes homes{2};
    const auto before = homes.two.left.agent.selected();
    const Path other{.local = at("192.0.2.2:1000"), .remote = at("203.0.113.2:2000")};
    homes.hear(homes.two.left, other);
    homes.two.network.run_for(10s);
    CHECK(homes.two.left.agent.selected() == before);
    CHECK(homes.two.right.agent.selected()->local == before->remote);
    CHECK(homes.two.left.agent.state() == State::Completed);
}

TEST_CASE("ice uplink: data that a nomination has overtaken is not followed") {
    Homes homes{2};
    Peer& mover = homes.two.right;
    Peer& stayer = homes.two.left;
    homes.leave(mover, mover.agent.selected()->local.to_string());
    homes.two.network.run_for(200ms);
    homes.send_data(mover, stayer);
    homes.two.network.run_for(200ms);
    const auto moved = stayer.agent.selected();
    REQUIRE(moved->remote == mover.agent.selected()->local);
    // From both addresses that are there still the new one was checked.
    Path other = *moved;
    other.local = at(moved->local == at("192.0.2.1:1000") ? "192.0.2.2:1000" : "192.0.2.1:1000");
    homes.hear(stayer, other);
    homes.two.network.run_for(limits::data_overtaken);
    CHECK(stayer.agent.selected() == moved);
    homes.hear(stayer, other);
    CHECK(stayer.agent.selected() == other);
}

TEST_CASE("ice uplink: without renomination the peer's data does not move a nominated pair") {
    Homes homes{2, Renomination::NotOffered};
    const auto before = homes.two.left.agent.selected();
    for (const char* const remote : {"203.0.113.2:2000", "203.0.113.9:9"}) {
        homes.hear(homes.two.left, {.local = at("192.0.2.2:1000"), .remote = at(remote)});
    }
    homes.two.network.run_for(1s);
    CHECK(homes.two.left.agent.selected() == before);
}

TEST_CASE("ice uplink: data from addresses that no check has proven is not followed") {
    Homes homes{2};
    const auto before = homes.two.left.agent.selected();
    homes.hear(homes.two.left, {.local = before->local, .remote = at("198.51.100.66:1")});
    homes.two.network.run_for(10s);
    CHECK(homes.two.left.agent.selected() == before);
}

TEST_CASE("ice uplink: while a restart runs, data follows the peer's to the new pair") {
    Homes homes{1};
    Peer& left = homes.two.left;
    Peer& right = homes.two.right;
    const auto before = left.agent.selected();
    left.agent.restart(homes.two.network.now);
    right.agent.restart(homes.two.network.now);
    // The old way is still there, and stays in use.
    left.add_host(homes.two.network.now, "192.0.2.7:1000");
    right.add_host(homes.two.network.now, "203.0.113.7:2000");
    REQUIRE(
        left.agent.set_remote_credentials(homes.two.network.now, right.agent.local_credentials()));
    REQUIRE(
        right.agent.set_remote_credentials(homes.two.network.now, left.agent.local_credentials()));
    REQUIRE(left.agent.add_remote_candidate(homes.two.network.now, right.candidates.back()));
    REQUIRE(right.agent.add_remote_candidate(homes.two.network.now, left.candidates.back()));
    homes.two.network.run_for(200ms);
    REQUIRE(left.agent.state() == State::Running);
    REQUIRE(left.agent.selected() == before);
    const Path fresh{.local = at("192.0.2.7:1000"), .remote = at("203.0.113.7:2000")};
    homes.hear(left, fresh);
    CHECK(left.agent.selected() == fresh);
}

TEST_CASE(
    "ice uplink: a pair kept from before a restart gives way to a valid one once it is doubted") {
    for (const bool is_doubted : {false, true}) {
        CAPTURE(is_doubted);
        Homes homes{1};
        Peer& left = homes.two.left;
        Peer& right = homes.two.right;
        const auto before = left.agent.selected();
        left.agent.restart(homes.two.network.now);
        right.agent.restart(homes.two.network.now);
        left.add_host(homes.two.network.now, "192.0.2.7:1000");
        right.add_host(homes.two.network.now, "203.0.113.7:2000");
        if (is_doubted) left.agent.doubt_previous(homes.two.network.now);
        CHECK(left.agent.selected() == before);  // as long as nothing else is valid
        for (auto [one, other] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
            REQUIRE(one->agent.set_remote_credentials(homes.two.network.now,
                                                      other->agent.local_credentials()));
            REQUIRE(
                one->agent.add_remote_candidate(homes.two.network.now, other->candidates.back()));
        }
        homes.two.network.run_for(200ms);
        const Path fresh{.local = at("192.0.2.7:1000"), .remote = at("203.0.113.7:2000")};
        CHECK(left.agent.selected() == (is_doubted ? fresh : before));
    }
}

}  // namespace
}  // namespace stile::ice
