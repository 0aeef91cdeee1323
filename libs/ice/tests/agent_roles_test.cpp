// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"
#include "script.hpp"

namespace stile::ice {
namespace {

using namespace testing;

TEST_CASE(
    "ice roles: a conflict is settled by the tie-breaker, whoever speaks first, RFC 8445 7.3.1.1") {
    for (const Role role : {Role::Controlling, Role::Controlled}) {
        for (const bool left_is_larger : {true, false}) {
            for (const bool left_is_first : {true, false}) {
                CAPTURE(role == Role::Controlling);
                CAPTURE(left_is_larger);
                CAPTURE(left_is_first);
                Peer left{{.role = role, .tie_breaker = left_is_larger ? 9 : 5}, 1};
                Peer right{{.role = role, .tie_breaker = 7}, 2};
                Network network;
                network.join(left);
                network.join(right);
                left.add_host(start, "192.0.2.1:1");
                right.add_host(start, "203.0.113.1:1");
                Peer& first = left_is_first ? left : right;
                Peer& second = left_is_first ? right : left;
                signal(start, second, first);
                network.run_for(200ms);
                signal(network.now, first, second);
                end_candidates(network.now, left, right);
                network.run_for(10s);
                // The larger tie-breaker controls.
                CHECK(left.agent.role() == (left_is_larger ? Role::Controlling : Role::Controlled));
                CHECK(right.agent.role() == opposite(left.agent.role()));
                CHECK(left.agent.state() == State::Completed);
                CHECK(right.agent.state() == State::Completed);
                CHECK(left.agent.pairs()[0].priority == right.agent.pairs()[0].priority);
            }
        }
    }
}

TEST_CASE("ice roles: equal tie-breakers are settled too") {
    for (const Role role : {Role::Controlling, Role::Controlled}) {
        TwoHosts two;
        Peer left{{.role = role, .tie_breaker = 7}, 1};
        Peer right{{.role = role, .tie_breaker = 7}, 2};
        Network network;
        network.join(left);
        network.join(right);
        left.add_host(start, "192.0.2.1:1");
        right.add_host(start, "203.0.113.1:1");
        exchange(start, left, right);
        network.run_for(10s);
        CHECK(left.agent.role() != right.agent.role());
        CHECK(left.nominated());
        CHECK(right.nominated());
    }
}

TEST_CASE(
    "ice roles: a 487 makes the pair be checked again in the other role, with a new tie-breaker") {
    Script script{{.role = Role::Controlling, .tie_breaker = 7}};
    script.connect();
    const auto first = script.next_request();
    REQUIRE(first);
    CHECK(first->content.role == Role::Controlling);
    CHECK(first->content.tie_breaker == 7);
    script.refuse(*first, stun::error::role_conflict);
    CHECK(script.agent.role() == Role::Controlled);
    const auto second = script.next_request();
    REQUIRE(second);
    CHECK(second->path == first->path);
    CHECK(second->content.role == Role::Controlled);
    CHECK(second->content.tie_breaker != 7);
}

TEST_CASE("ice roles: a peer that never agrees is left alone after the limit of role changes") {
    Script script{{.role = Role::Controlling}};
    script.connect();
    std::size_t refused = 0;
    while (const auto request = script.next_request()) {
        script.refuse(*request, stun::error::role_conflict);
        ++refused;
        REQUIRE(refused < 100);
    }
    CHECK(refused == limits::most_role_changes + 1U);
    REQUIRE(script.agent.pairs().size() == 1);
    CHECK(script.agent.pairs()[0].last_error ==
          PairError{.kind = PairError::Kind::ErrorResponse, .code = 487});
}

TEST_CASE("ice roles: an aggressive peer's nominations end on the pair of highest priority") {
    for (const bool best_first : {true, false}) {
        CAPTURE(best_first);
        Script script{{.role = Role::Controlled}};
        script.connect();
        script.add_remote("203.0.113.2:2", 500);  // lower than the first one's
        const Path best{script.local, script.remote};
        const Path other{script.local, at("203.0.113.2:2")};
        for (const Path& path : best_first ? std::array{best, other} : std::array{other, best}) {
            script.request(path, {.priority = 100,
                                  .role = Role::Controlling,
                                  .tie_breaker = 1,
                                  .nomination = Nomination::Yes});
            script.answer_for(1s);
        }
        CHECK(script.agent.selected() == best);
        CHECK(script.agent.state() == State::Completed);
    }
}

TEST_CASE("ice roles: nominations that arrive together are both tried, the highest is used") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    script.add_remote("203.0.113.2:2", 500);
    const Path best{script.local, script.remote};
    const Path other{script.local, at("203.0.113.2:2")};
    for (const Path& path : {other, best}) {
        script.request(path, {.priority = 100,
                              .role = Role::Controlling,
                              .tie_breaker = 1,
                              .nomination = Nomination::Yes});
    }
    script.answer_for(2s);
    CHECK(script.agent.selected() == best);
}

TEST_CASE("ice roles: USE-CANDIDATE is nothing to a controlling agent") {
    Script script{{.role = Role::Controlling, .tie_breaker = 0}};
    script.connect();
    script.agent.handle_timeout(script.now);
    // No role in it, so there is no conflict either.
    script.request({script.local, script.remote},
                   {.priority = 100, .role = Role::Controlled, .tie_breaker = 1});
    script.answer_for(1s);
    CHECK(script.agent.role() == Role::Controlling);
    CHECK(script.agent.selected());
    CHECK(script.agent.state() == State::Running);
}

}  // namespace
}  // namespace stile::ice
