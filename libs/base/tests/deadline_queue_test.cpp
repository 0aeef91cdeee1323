// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/deadline_queue.hpp>

namespace stile {
namespace {

using namespace std::chrono_literals;

TEST_CASE("deadline queue: gives the soonest entry, and moves and removes entries") {
    constexpr Instant start{};
    DeadlineQueue<int> queue;
    std::optional<Instant> first;
    std::optional<Instant> second;
    CHECK_FALSE(queue.next());
    CHECK_FALSE(queue.expired(start + 1h));
    queue.update(1, first, start + 2s);
    queue.update(2, second, start + 1s);
    CHECK(queue.next() == start + 1s);
    CHECK_FALSE(queue.expired(start + 999ms));
    CHECK(queue.expired(start + 1s) == 2);
    queue.update(2, second, start + 3s);
    CHECK(queue.next() == start + 2s);
    queue.update(1, first, std::nullopt);
    CHECK_FALSE(first);
    CHECK(queue.next() == start + 3s);
    queue.update(2, second, start + 3s);
    CHECK(queue.size() == 1);
    queue.update(2, second, std::nullopt);
    CHECK_FALSE(queue.next());
}

}  // namespace
}  // namespace stile
