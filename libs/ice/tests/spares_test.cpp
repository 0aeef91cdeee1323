// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relayed pairs that stand by for a network that goes.
#include "network.hpp"

namespace stile::ice {
namespace {

using namespace testing;

// Both on the open Internet, each with a relay.
struct Relays {
    TwoHosts two{{}, 1};
    std::string left_relay = "198.51.100.1:50000";
    std::string right_relay = "198.51.100.2:50000";

    explicit Relays(Renomination renomination = Renomination::Offered) {
        meet(renomination);
        two.network.run_for(5s);
        REQUIRE(two.left.agent.state() == State::Completed);
        REQUIRE(two.right.agent.state() == State::Completed);
        REQUIRE(two.left.agent.selected()->local == at("192.0.2.1:1000"));
    }
    // The hosts do not reach one another, and still hope to.
    explicit Relays(Duration age) {
        two.network.drops = [](const Packet& packet) {
            return packet.from.port.value < 50000 && packet.to.port.value < 50000;
        };
        meet(Renomination::Offered);
        two.network.run_for(age);
        REQUIRE(two.left.agent.state() == State::Running);
        REQUIRE(two.left.agent.selected()->local == at("192.0.2.1:1000"));
    }
    // Checks of the left one from the address since then.
    std::vector<Instant> checks_from(std::string_view address, Instant since) const {
        std::vector<Instant> found;
        for (const Packet& packet : two.network.log) {
            if (packet.sender != &two.left || packet.from != at(address)) continue;
            if (packet.is_request() && packet.when >= since) found.push_back(packet.when);
        }
        return found;
    }
    // It promises a better way than the relay, and none gets through.
    void add_deaf_left() {
        two.network.drops = [](const Packet& packet) {
            return packet.from == at("192.0.2.9:1000") || packet.to == at("192.0.2.9:1000");
        };
        two.left.add_host(two.network.now, "192.0.2.9:1000");
    }
    void leave_left() {
        std::erase(two.left.sockets, at("192.0.2.1:1000"));
        two.left.agent.remove_base(two.network.now, at("192.0.2.1:1000"));
    }

private:
    void meet(Renomination renomination) {
        two.left.add_relay(start, left_relay);
        two.right.add_relay(start, right_relay);
        know(two.left, two.right, renomination);
        know(two.right, two.left, renomination);
        end_candidates(start, two.left, two.right);
    }
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

TEST_CASE("ice spares: one pair of each side's relay is checked every 15 s, and no other") {
    Relays relays;
    const Instant since = relays.two.network.now;
    relays.two.network.log.clear();
    relays.two.network.run_for(150s);
    const auto own = relays.checks_from(relays.left_relay, since);
    CHECK(own.size() >= 9);
    CHECK(own.size() <= 10);
    for (std::size_t i = 1; i < own.size(); ++i) {
        CHECK(own[i] - own[i - 1] >= limits::spare_period);
        CHECK(own[i] - own[i - 1] <= limits::spare_period + 1s);
    }
    std::size_t to_relay = 0;
    for (const Packet& packet : relays.two.network.log) {
        if (packet.sender != &relays.two.left || !packet.is_request()) continue;
        if (packet.to == at(relays.right_relay)) ++to_relay;
    }
    CHECK(to_relay >= 9);
    CHECK(to_relay <= 20);  // with those from the own relay, where that is the pair
    CHECK(relays.two.left.agent.selected()->local == at("192.0.2.1:1000"));
    CHECK(relays.two.left.all<ConsentExpired>().empty());
}

TEST_CASE("ice spares: who has not agreed on renomination has none") {
    Relays relays{Renomination::NotOffered};
    const Instant since = relays.two.network.now;
    relays.two.network.run_for(60s);
    CHECK(relays.checks_from(relays.left_relay, since).empty());
}

TEST_CASE("ice spares: the socket goes, and data moves to the relay without a check") {
    Relays relays;
    relays.two.network.run_for(100s);
    const Instant left_at = relays.two.network.now;
    relays.leave_left();
    REQUIRE(relays.two.left.agent.selected());
    CHECK(relays.two.left.agent.selected()->local == at(relays.left_relay));
    relays.two.network.run_for(5s);
    CHECK(relays.two.left.agent.state() == State::Completed);
    CHECK(relays.two.left.agent.selected()->local == at(relays.left_relay));
    CHECK(relays.two.right.agent.selected()->remote == at(relays.left_relay));
    CHECK(relays.two.left.all<Failed>().empty());
    CHECK_FALSE(relays.checks_from(relays.left_relay, left_at).empty());
}

TEST_CASE("ice spares: the peer hears of the relay at once, whatever better pair is being tried") {
    Relays relays;
    relays.add_deaf_left();
    relays.leave_left();
    relays.two.network.run_for(300ms);
    REQUIRE(relays.two.right.agent.selected());
    CHECK(relays.two.right.agent.selected()->remote == at(relays.left_relay));
}

TEST_CASE("ice spares: the socket goes before anything is nominated, and the peer hears of it") {
    Relays relays{1s};
    relays.add_deaf_left();
    relays.leave_left();
    relays.two.network.run_for(300ms);
    CHECK(relays.two.right.agent.state() == State::Completed);
    REQUIRE(relays.two.right.agent.selected());
    CHECK(relays.two.right.agent.selected()->remote == at(relays.left_relay));
}

TEST_CASE("ice spares: before anything is nominated, too, the peer's data is followed") {
    Relays relays{1s};
    const Peer& left = relays.two.left;
    const Path relayed{at("192.0.2.1:1000"), at(relays.right_relay)};
    const Path both{at(relays.left_relay), at(relays.right_relay)};
    const Path used = *left.agent.selected();
    const Path heard = used == relayed ? both : relayed;
    relays.two.left.agent.handle_data(relays.two.network.now, {.path = used, .connection = {}});
    relays.two.network.run_for(500ms);
    REQUIRE(left.agent.state() == State::Running);
    relays.two.left.agent.handle_data(relays.two.network.now, {.path = heard, .connection = {}});
    CHECK(left.agent.selected() == heard);
}

TEST_CASE("ice spares: one that falls silent is followed by another") {
    Relays relays;
    // What goes from relay to host dies; between the relays all is well.
    relays.two.network.drops = [&](const Packet& packet) {
        const bool is_relay = packet.from == at(relays.left_relay);
        return is_relay && packet.to != at(relays.right_relay);
    };
    relays.two.network.run_for(120s);
    REQUIRE(relays.two.left.agent.state() == State::Completed);
    relays.leave_left();
    REQUIRE(relays.two.left.agent.selected());
    CHECK(*relays.two.left.agent.selected() == Path{at(relays.left_relay), at(relays.right_relay)});
}

TEST_CASE("ice spares: a relay that has moved is heard from at once, and its checks begin anew") {
    Relays relays;
    relays.two.network.run_for(100s);
    // Nothing gets through while the relay has no way.
    relays.two.network.drops = [&](const Packet& packet) {
        return packet.sender == &relays.two.left;
    };
    relays.leave_left();
    relays.two.network.run_for(900ms);
    relays.two.network.drops = [](const Packet&) { return false; };
    const Instant moved = relays.two.network.now;
    relays.two.left.agent.handle_base_moved(moved, at(relays.left_relay));
    relays.two.network.run_for(1ms);
    const auto checks = relays.checks_from(relays.left_relay, moved);
    REQUIRE(checks.size() >= 1);
    CHECK(checks.front() == moved);
    relays.two.network.run_for(200ms);
    CHECK(relays.two.left.agent.state() == State::Completed);
    CHECK(relays.two.right.agent.selected()->remote == at(relays.left_relay));
}

}  // namespace
}  // namespace stile::ice
