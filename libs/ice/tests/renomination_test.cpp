// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// draft-thatcher-ice-renomination, and what is left to its opposite, a single nomination.
#include "network.hpp"
#include "script.hpp"

namespace stile::ice {
namespace {

using namespace testing;

RemoteParameters parameters_of(const Peer& peer, Renomination renomination) {
    return {.credentials = peer.agent.local_credentials(),
            .kind = PeerKind::Full,
            .ta = {},
            .renomination = renomination};
}

// Two addresses each; the better way is blocked until it is opened.
struct BetterLater {
    TwoHosts two;
    bool open = false;

    explicit BetterLater(Renomination left_knows, Renomination right_knows, AgentConfig config = {},
                         std::uint64_t seed = 1)
        : two(with_patience(config), seed) {
        two.left.add_host(start, "192.0.2.2:1000");
        two.right.add_host(start, "203.0.113.2:2000");
        two.network.drops = [this](const Packet& packet) { return !open && !is_low(packet); };
        REQUIRE(two.left.agent.set_remote(start, parameters_of(two.right, right_knows)));
        REQUIRE(two.right.agent.set_remote(start, parameters_of(two.left, left_knows)));
        for (const Candidate& one : two.left.candidates) {
            REQUIRE(two.right.agent.add_remote_candidate(start, one));
        }
        for (const Candidate& one : two.right.candidates) {
            REQUIRE(two.left.agent.add_remote_candidate(start, one));
        }
        end_candidates(start, two.left, two.right);
    }
    static AgentConfig with_patience(AgentConfig config) {
        config.nomination_patience = 500ms;
        return config;
    }
    // The second addresses of both are the lowest pair.
    static bool is_low(const Packet& packet) {
        const auto is_second = [](const SocketAddress& address) {
            return address == at("192.0.2.2:1000") || address == at("203.0.113.2:2000");
        };
        return is_second(packet.from) && is_second(packet.to);
    }
    bool on_low(const Peer& peer) const {
        const auto path = peer.agent.selected();
        return path &&
               (path->local == at("192.0.2.2:1000") || path->local == at("203.0.113.2:2000"));
    }
    std::vector<std::uint32_t> numbers() const {
        std::vector<std::uint32_t> found;
        for (const Packet& packet : two.network.log) {
            if (!packet.is_request()) continue;
            const auto content = read_check(packet.message());
            REQUIRE(content);
            if (content->nomination_number) found.push_back(*content->nomination_number);
        }
        return found;
    }
};

TEST_CASE("ice renomination: a better pair takes over after the nomination, without a restart") {
    BetterLater world{Renomination::Offered, Renomination::Offered};
    world.two.network.run_for(2s);
    REQUIRE(world.two.left.agent.state() == State::Completed);
    REQUIRE(world.two.right.agent.state() == State::Completed);
    CHECK(world.on_low(world.two.left));
    world.open = true;
    world.two.network.run_for(20s);
    for (const Peer* peer : {&world.two.left, &world.two.right}) {
        CHECK(peer->agent.state() == State::Completed);
        CHECK_FALSE(world.on_low(*peer));
        CHECK(peer->all<ConsentExpired>().empty());
        CHECK(peer->nominated());
    }
    CHECK(world.two.left.agent.selected()->remote == world.two.right.agent.selected()->local);
    const auto numbers = world.numbers();
    REQUIRE_FALSE(numbers.empty());
    CHECK(numbers.front() == 1);
    CHECK(numbers.back() == 2);
    std::size_t nominated = 0;
    for (const auto& pair : world.two.right.agent.pairs()) nominated += pair.nominated ? 1 : 0;
    CHECK(nominated == 1);
}

TEST_CASE("ice renomination: never used unless both sides offer it") {
    for (const bool left_knows : {true, false}) {
        CAPTURE(left_knows);
        BetterLater world{
            left_knows ? Renomination::Offered : Renomination::NotOffered,
            left_knows ? Renomination::NotOffered : Renomination::Offered,
            {.renomination = left_knows ? Renomination::Offered : Renomination::NotOffered}};
        world.two.network.run_for(2s);
        REQUIRE(world.two.left.agent.state() == State::Completed);
        world.open = true;
        world.two.network.run_for(60s);
        CHECK(world.on_low(world.two.left));
        CHECK(world.on_low(world.two.right));
        CHECK(world.numbers().empty());
    }
}

TEST_CASE("ice renomination: when the nominated pair dies another one that works takes over") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        BetterLater world{Renomination::Offered, Renomination::Offered, {}, seed};
        world.open = true;
        world.two.network.run_for(5s);
        REQUIRE(world.two.left.agent.state() == State::Completed);
        const auto before = world.two.left.agent.selected();
        REQUIRE_FALSE(world.on_low(world.two.left));
        // From now on only the lowest pair works.
        world.open = false;
        world.two.network.run_for(120s);
        for (const Peer* peer : {&world.two.left, &world.two.right}) {
            CHECK(peer->agent.state() == State::Completed);
            CHECK(world.on_low(*peer));
            CHECK(peer->all<Failed>().empty());
        }
        CHECK(world.two.left.agent.selected() != before);
    }
}

TEST_CASE("ice renomination: when no pair works any longer the session has lost its consent") {
    BetterLater world{Renomination::Offered, Renomination::Offered};
    world.open = true;
    world.two.network.run_for(5s);
    world.two.network.drops = [](const Packet&) { return true; };
    world.two.network.run_for(120s);
    for (const Peer* peer : {&world.two.left, &world.two.right}) {
        CHECK(peer->agent.state() == State::Failed);
        const auto failures = peer->all<Failed>();
        REQUIRE(failures.size() == 1);
        CHECK(failures[0].reason == FailureReason::ConsentLost);
        // After the consent, and the patience with those that might have taken over.
        const auto expired = peer->first_time<ConsentExpired>();
        CHECK(*peer->first_time<Failed>() == *expired + limits::takeover_patience);
    }
}

TEST_CASE("ice renomination: a socket that goes away is left for another one at once") {
    BetterLater world{Renomination::Offered, Renomination::Offered};
    world.open = true;
    world.two.network.run_for(5s);
    REQUIRE(world.two.left.agent.state() == State::Completed);
    const Instant gone = world.two.network.now;
    world.two.left.agent.remove_base(gone, world.two.left.agent.selected()->local);
    world.two.network.run_for(2s);
    CHECK(world.two.left.agent.state() == State::Completed);
    CHECK(world.two.left.agent.selected()->local == at("192.0.2.2:1000"));
    CHECK(world.two.right.agent.selected()->remote == at("192.0.2.2:1000"));
}

TEST_CASE("ice renomination: candidates that come after the nomination are tried") {
    BetterLater world{Renomination::Offered, Renomination::Offered};
    world.two.network.run_for(60s);
    REQUIRE(world.two.left.agent.state() == State::Completed);
    REQUIRE(world.on_low(world.two.left));
    const Instant now = world.two.network.now;
    world.open = true;
    auto better = host_candidate(at("192.0.2.3:1000"));
    better.local_preference = 65535;
    world.two.left.sockets.push_back(at("192.0.2.3:1000"));
    REQUIRE(world.two.left.agent.add_local_candidate(now, better));
    world.two.network.run_for(5s);
    CHECK(world.two.left.agent.selected()->local == at("192.0.2.3:1000"));
    CHECK(world.two.right.agent.selected()->remote == at("192.0.2.3:1000"));
}

TEST_CASE("ice renomination: pairs agree over many seeds while ways open and close") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        BetterLater world{Renomination::Offered, Renomination::Offered, {}, seed};
        auto random = random_from(seed + 5000);
        world.two.network.delay = std::chrono::milliseconds{1 + random.below(120)};
        for (int i = 0; i < 6; ++i) {
            world.open = random.below(2) == 0;
            world.two.network.run_for(std::chrono::seconds{1 + random.below(60)});
        }
        world.open = true;
        world.two.network.run_for(120s);
        if (world.two.left.agent.state() == State::Failed) continue;  // consent was lost
        REQUIRE(world.two.left.agent.selected());
        REQUIRE(world.two.right.agent.selected());
        CHECK(world.two.left.agent.selected()->remote == world.two.right.agent.selected()->local);
        CHECK(world.two.left.agent.selected()->local == world.two.right.agent.selected()->remote);
    }
}

TEST_CASE(
    "ice renomination: what was discovered, and is signalled as better later, is tried then") {
    Script script{{.nomination_patience = 0s}};
    REQUIRE(script.agent.set_remote(start, {.credentials = script.mine,
                                            .kind = PeerKind::Full,
                                            .ta = {},
                                            .renomination = Renomination::Offered}));
    const Path first{script.local, at("203.0.113.2:2")};
    const Path later{script.local, at("203.0.113.1:1")};
    script.add_remote("203.0.113.2:2", 500);
    script.request(later, {.priority = 100, .role = Role::Controlled, .tie_breaker = 1});
    bool answers = false;
    const auto serve = [&](Duration duration) {
        for (const Instant end = script.now + duration; script.now < end;) {
            const auto request = script.next_request();
            if (!request) break;
            if (answers || request->path == first) script.accept(*request);
        }
    };
    serve(400ms);
    REQUIRE(script.agent.selected() == first);
    REQUIRE(script.agent.state() == State::Completed);
    answers = true;
    script.add_remote("203.0.113.1:1", 1000);
    serve(2s);
    CHECK(script.agent.selected() == later);
}

// ---- the controlled side, with a peer that the test plays -------------------------------------

struct Nominator {
    Script script{{.role = Role::Controlled}};
    Path best{script.local, script.remote};
    Path other{script.local, at("203.0.113.2:2")};

    Nominator() {
        REQUIRE(script.agent.set_remote(start, {.credentials = script.mine,
                                                .kind = PeerKind::Full,
                                                .ta = {},
                                                .renomination = Renomination::Offered}));
        script.add_remote(script.remote.to_string(), 1000);
        script.add_remote("203.0.113.2:2", 500);
        script.answer_for(1s);
    }
    void nominate(const Path& path, std::optional<std::uint32_t> number,
                  Nomination use_candidate = Nomination::Yes) {
        script.request(path, {.priority = 100,
                              .role = Role::Controlling,
                              .tie_breaker = 1,
                              .nomination = use_candidate,
                              .nomination_number = number});
        script.answer_for(1s);
    }
};

TEST_CASE("ice renomination: the highest number holds, whatever the order of arrival") {
    Nominator peer;
    peer.nominate(peer.best, 1);
    CHECK(peer.script.agent.selected() == peer.best);
    peer.nominate(peer.other, 3);
    CHECK(peer.script.agent.selected() == peer.other);
    peer.nominate(peer.best, 2);  // late
    CHECK(peer.script.agent.selected() == peer.other);
    peer.nominate(peer.best, std::nullopt);  // a plain one has none
    CHECK(peer.script.agent.selected() == peer.other);
    peer.nominate(peer.best, 0xFFFF'FFFF);
    CHECK(peer.script.agent.selected() == peer.best);
}

TEST_CASE("ice renomination: the number alone is a nomination, as some send it") {
    Nominator peer;
    peer.nominate(peer.other, 1, Nomination::No);
    CHECK(peer.script.agent.selected() == peer.other);
    CHECK(peer.script.agent.state() == State::Completed);
}

TEST_CASE("ice renomination: without numbers an aggressive peer's highest pair is used") {
    Nominator peer;
    peer.nominate(peer.best, std::nullopt);
    peer.nominate(peer.other, std::nullopt);
    CHECK(peer.script.agent.selected() == peer.best);
}

TEST_CASE(
    "ice renomination: an attribute of that number means nothing where it was not agreed on") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    script.request({script.local, script.remote}, {.priority = 100,
                                                   .role = Role::Controlling,
                                                   .tie_breaker = 1,
                                                   .nomination = Nomination::No,
                                                   .nomination_number = 5});
    script.answer_for(1s);
    CHECK(script.agent.state() == State::Running);
}

TEST_CASE(
    "ice renomination: the controlling side nominates by 1, 2 and so on, beside USE-CANDIDATE") {
    Script script{{.nomination_patience = 0s}};
    REQUIRE(script.agent.set_remote(start, {.credentials = script.mine,
                                            .kind = PeerKind::Full,
                                            .ta = {},
                                            .renomination = Renomination::Offered}));
    script.add_remote("203.0.113.2:2", 500);
    std::vector<CheckContent> nominations;
    const auto serve = [&](Duration duration) {
        for (const Instant end = script.now + duration; script.now < end;) {
            const auto request = script.next_request();
            if (!request) break;
            if (request->content.nomination == Nomination::Yes) {
                nominations.push_back(request->content);
            }
            script.accept(*request);
        }
    };
    serve(500ms);
    REQUIRE(nominations.size() == 1);
    CHECK(nominations[0].nomination_number == 1);
    script.add_remote("203.0.113.1:1", 1000);
    serve(500ms);
    REQUIRE(nominations.size() == 2);
    CHECK(nominations[1].nomination_number == 2);
    CHECK(script.agent.selected()->remote == at("203.0.113.1:1"));
}

}  // namespace
}  // namespace stile::ice
