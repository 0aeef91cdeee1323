// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/turn/user_table.hpp>

namespace stile::turn {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{};

ServerConfig limited() {
    ServerConfig config;
    config.user_connects = 6;
    config.user_packets = TokenRate{.per_second = 2, .burst = 10};
    return config;
}

TEST_CASE("turn users: who has nothing and owes nothing is forgotten at once") {
    const auto config = limited();
    UserTable users;
    const auto user = users.find_or_add(start, "alice", config);
    users.release(start, user, config);
    CHECK(users.size() == 0);
}

TEST_CASE("turn users: what was spent is remembered until it has come back") {
    const auto config = limited();
    UserTable users;
    const auto user = users.find_or_add(start, "alice", config);
    REQUIRE(user->second.packets.take(start, *config.user_packets, 9));
    users.release(start, user, config);
    REQUIRE(users.size() == 1);
    // 4.5 seconds fill it.
    const auto soon = users.find_or_add(start + 4s, "alice", config);
    CHECK_FALSE(soon->second.packets.take(start + 4s, *config.user_packets, 10));
    CHECK(soon->second.packets.take(start + 4s, *config.user_packets, 9));
    users.release(start + 4s, soon, config);
    CHECK(users.size() == 1);
    users.release(start + 9s, users.find_or_add(start + 9s, "bob", config), config);
    CHECK(users.size() == 0);
}

TEST_CASE("turn users: the quota that comes back last counts") {
    const auto config = limited();
    UserTable users;
    const auto user = users.find_or_add(start, "alice", config);
    REQUIRE(user->second.packets.take(start, *config.user_packets, 10));
    REQUIRE(user->second.connects.take(start, per_minute(6), 6 * one_a_minute));
    users.release(start, user, config);
    (void)users.find_or_add(start + 59s, "bob", config);
    CHECK(users.size() == 2);
    (void)users.find_or_add(start + 60s, "bob", config);
    CHECK(users.size() == 1);
}

TEST_CASE("turn users: who has relays is not forgotten, however full") {
    const auto config = limited();
    UserTable users;
    const auto user = users.find_or_add(start, "alice", config);
    user->second.relays = 2;
    users.release(start, user, config);
    CHECK(users.relays_of("alice") == 2);
    CHECK(users.relays_of("bob") == 0);
    CHECK(users.find_or_add(start + 24h, "alice", config)->second.relays == 2);
}

TEST_CASE("turn users: as many idle ones as the limit; past it the one that is full soonest goes") {
    const auto config = limited();
    UserTable users;
    const auto spend = [&](const std::string& name, std::uint64_t packets) {
        const auto user = users.find_or_add(start, name, config);
        REQUIRE(user->second.packets.take(start, *config.user_packets, packets));
        users.release(start, user, config);
    };
    spend("soonest", 1);
    for (std::size_t i = 1; i < most_idle_users; ++i) spend(std::to_string(i), 5);
    CHECK(users.size() == most_idle_users);
    const auto has_spent = [&](const std::string& name) {
        const auto user = users.find_or_add(start, name, config);
        const bool full = user->second.packets.has(start, *config.user_packets, 10);
        users.release(start, user, config);
        return !full;
    };
    CHECK(has_spent("soonest"));
    spend("one more", 5);
    CHECK(users.size() == most_idle_users);
    CHECK_FALSE(has_spent("soonest"));
    CHECK(has_spent("one more"));
}

}  // namespace
}  // namespace stile::turn
