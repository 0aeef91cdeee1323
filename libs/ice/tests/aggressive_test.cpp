// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Controlling peers of RFC 5245 that put USE-CANDIDATE into every check, and role conflicts in the
// midst of a nomination.
#include "script.hpp"

#include <map>

namespace stile::ice {
namespace {

using namespace testing;

// A peer with several addresses, of which some do not work, that nominates whatever it checks.
struct AggressivePeer {
    crypto::RandomStream random;
    Script script{{.role = Role::Controlled}};
    std::map<SocketAddress, std::uint32_t> priorities;
    std::vector<SocketAddress> working;

    explicit AggressivePeer(std::uint64_t seed) : random(random_from(seed)) {
        REQUIRE(script.agent.set_remote_credentials(start, script.mine));
        const std::size_t count = 2 + random.below(5);
        for (std::size_t i = 0; i < count; ++i) {
            const SocketAddress address = at("203.0.113." + std::to_string(1 + i) + ":1");
            const auto priority = static_cast<std::uint32_t>(1000 * (1 + random.below(1000)) + i);
            priorities[address] = priority;
            if (i == 0 || random.below(3) != 0) working.push_back(address);
            // Some it has not told, so that they are peer reflexive.
            if (random.below(4) != 0) script.add_remote(address.to_string(), priority);
        }
    }
    bool works(const SocketAddress& address) const { return contains(working, address); }
    void check(const SocketAddress& from) {
        script.request({script.local, from}, {.priority = priorities[from],
                                              .role = Role::Controlling,
                                              .tie_breaker = 1,
                                              .nomination = Nomination::Yes});
    }
    void serve(Duration duration) {
        for (const Instant end = script.now + duration;;) {
            for (const auto& request : script.collect()) {
                if (works(request.path.remote)) script.accept(request);
            }
            script.collect();
            const auto next = script.agent.poll_timeout();
            if (!next || *next > end) {
                script.now = end;
                return;
            }
            script.now = std::max(script.now, *next);
            script.agent.handle_timeout(script.now);
        }
    }
    SocketAddress best() const {
        return *std::max_element(working.begin(), working.end(), [&](const auto& a, const auto& b) {
            return priorities.at(a) < priorities.at(b);
        });
    }
};

TEST_CASE("ice aggressive peer: whatever the order, both end on the highest pair that works") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        AggressivePeer peer{seed};
        // It repeats its checks on each pair, in an order of its own.
        for (std::size_t i = 0; i < 6 * peer.priorities.size(); ++i) {
            auto one = peer.priorities.begin();
            std::advance(one,
                         static_cast<std::ptrdiff_t>(peer.random.below(peer.priorities.size())));
            if (peer.works(one->first)) peer.check(one->first);
            peer.serve(std::chrono::milliseconds{peer.random.below(120)});
        }
        for (const SocketAddress& address : peer.working) peer.check(address);
        peer.serve(2s);
        CHECK(peer.script.agent.state() == State::Completed);
        REQUIRE(peer.script.agent.selected());
        CHECK(peer.script.agent.selected()->remote == peer.best());
        CHECK(peer.script.all<ConsentExpired>().empty());
    }
}

TEST_CASE("ice aggressive peer: data flows on the first pair that both sides checked") {
    AggressivePeer peer{3};
    peer.check(peer.working[0]);
    peer.serve(60ms);
    CHECK(peer.script.agent.selected()->remote == peer.working[0]);
}

// ---- conflicts -------------------------------------------------------------------------------

TEST_CASE("ice roles: a 487 to a nomination leaves the nominating to the peer") {
    Script script{{.role = Role::Controlling, .nomination_patience = 0s}};
    script.connect();
    const auto check = script.next_request();
    REQUIRE(check);
    script.accept(*check);
    const auto nomination = script.next_request();
    REQUIRE(nomination);
    REQUIRE(nomination->content.nomination == Nomination::Yes);
    script.refuse(*nomination, stun::error::role_conflict);
    CHECK(script.agent.role() == Role::Controlled);
    // It goes on with data, asks for nothing more, and takes what the peer nominates.
    CHECK(script.agent.selected());
    const auto more = script.next_request();
    if (more) CHECK(more->content.nomination == Nomination::No);
    script.request({script.local, script.remote}, {.priority = 100,
                                                   .role = Role::Controlling,
                                                   .tie_breaker = 1,
                                                   .nomination = Nomination::Yes});
    script.answer_for(1s);
    CHECK(script.agent.state() == State::Completed);
}

TEST_CASE("ice roles: a 487 that comes after the role has changed already changes nothing") {
    Script script{{.role = Role::Controlling, .tie_breaker = 7}};
    script.connect();
    const auto check = script.next_request();
    REQUIRE(check);
    // The peer's own check settles it first.
    script.request({script.local, script.remote},
                   {.priority = 100, .role = Role::Controlling, .tie_breaker = 9});
    CHECK(script.agent.role() == Role::Controlled);
    script.refuse(*check, stun::error::role_conflict);
    CHECK(script.agent.role() == Role::Controlled);
    const auto again = script.next_request();
    REQUIRE(again);
    CHECK(again->content.role == Role::Controlled);
}

TEST_CASE("ice roles: a 487 without our password's integrity is as if it had not come") {
    Script script{{.role = Role::Controlling}};
    script.connect();
    const auto check = script.next_request();
    REQUIRE(check);
    const auto message = stun::MessageView::parse(check->wire);
    const auto forged = stun::IntegrityKey::short_term("wrongwrongwrongwrongwrong");
    script.send(check->path, build_error(*message, stun::error::role_conflict, forged));
    CHECK(script.agent.role() == Role::Controlling);
}

TEST_CASE("ice roles: we answer 487 to who has the smaller claim, and it yields") {
    Script script{{.role = Role::Controlling, .tie_breaker = 9}};
    script.connect();
    script.request({script.local, script.remote},
                   {.priority = 100, .role = Role::Controlling, .tie_breaker = 7});
    script.collect();
    REQUIRE(script.replies.size() == 1);
    CHECK(script.replies[0].code == 487);
    CHECK(script.agent.role() == Role::Controlling);
    script.request({script.local, script.remote},
                   {.priority = 100, .role = Role::Controlled, .tie_breaker = 7});
    script.collect();
    CHECK(script.replies.back().message_class == stun::Class::SuccessResponse);
}

}  // namespace
}  // namespace stile::ice
