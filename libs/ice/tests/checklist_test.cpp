// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/ice/checklist.hpp>

namespace stile::ice {
namespace {

SocketAddress address(std::uint16_t port) { return {IpAddress::v4({192, 0, 2, 1}), Port{port}}; }

struct Shape {
    std::uint16_t port;  // tells pairs apart
    std::uint64_t priority;
    std::uint16_t foundation = 0;
    std::uint16_t component = 1;
};

CandidatePair pair(const Shape& shape) {
    return {.component = {shape.component},
            .path = {.local = address(shape.component), .remote = address(shape.port)},
            .foundation = {.local = shape.foundation, .remote = 0},
            .priority = {shape.priority}};
}

std::vector<PairState> states(const Checklist& list) {
    std::vector<PairState> found;
    for (const auto& pair : list.pairs()) found.push_back(pair.state);
    return found;
}

using enum PairState;
using States = std::vector<PairState>;

TEST_CASE("ice checklist: pairs are in the order of falling priority") {
    Checklist list;
    for (const std::uint64_t priority : {5U, 9U, 1U, 7U}) {
        list.add(pair({.port = static_cast<std::uint16_t>(priority), .priority = priority}));
    }
    std::uint64_t last = 100;
    for (const auto& entry : list.pairs()) {
        CHECK(entry.priority.value < last);
        last = entry.priority.value;
    }
}

TEST_CASE(
    "ice checklist: one pair a foundation starts, the lowest component first, RFC 8445 6.1.2.6") {
    Checklist list;
    list.add(pair({.port = 1, .priority = 9, .foundation = 1, .component = 2}));
    list.add(pair({.port = 2, .priority = 8, .foundation = 1, .component = 1}));
    list.add(pair({.port = 3, .priority = 7, .foundation = 1, .component = 1}));
    list.add(pair({.port = 4, .priority = 6, .foundation = 2, .component = 2}));
    list.compute_initial_states();
    CHECK(states(list) == States{Frozen, Waiting, Frozen, Waiting});
}

TEST_CASE("ice checklist: pairs that come late, RFC 8838 Section 12 rules 1 to 3") {
    Checklist list;
    list.add(pair({.port = 1, .priority = 5, .foundation = 1}));
    CHECK(states(list) == States{Waiting});
    list.add(pair({.port = 2, .priority = 4, .foundation = 1}));  // rule 3
    list.add(pair({.port = 3, .priority = 9, .foundation = 1}));  // rule 1
    CHECK(states(list) == States{Waiting, Waiting, Frozen});
    list.pairs()[0].state = Succeeded;
    list.add(pair({.port = 4, .priority = 1, .foundation = 1}));  // rule 2
    CHECK(states(list) == States{Succeeded, Waiting, Frozen, Waiting});
}

TEST_CASE("ice checklist: success unfreezes its foundation alone") {
    Checklist list;
    list.add(pair({.port = 1, .priority = 9, .foundation = 1}));
    list.add(pair({.port = 2, .priority = 8, .foundation = 1}));
    list.add(pair({.port = 3, .priority = 7, .foundation = 2}));
    list.add(pair({.port = 4, .priority = 6, .foundation = 2}));
    list.unfreeze({1, 0});
    CHECK(states(list) == States{Waiting, Waiting, Waiting, Frozen});
}

TEST_CASE("ice checklist: triggered pairs come first, in their order, then the highest waiting") {
    Checklist list;
    for (std::uint16_t i = 1; i <= 4; ++i) {
        list.add(pair({.port = i, .priority = 10U - i, .foundation = i}));
    }
    const PairId third = list.pairs()[2].id;
    const PairId fourth = list.pairs()[3].id;
    list.enqueue_triggered(fourth);
    list.enqueue_triggered(third);
    list.enqueue_triggered(fourth);  // once only
    CHECK(list.triggered_count() == 2);
    for (const PairId expected : {fourth, third, list.pairs()[0].id, list.pairs()[1].id}) {
        CandidatePair* next = list.take_next();
        REQUIRE(next != nullptr);
        CHECK(next->id == expected);
        next->state = InProgress;
    }
    CHECK_FALSE(list.has_next());
    CHECK(list.take_next() == nullptr);
}

TEST_CASE("ice checklist: a frozen pair starts when its foundation has none on the way, 6.1.4.2") {
    Checklist list;
    list.add(pair({.port = 1, .priority = 9, .foundation = 1}));
    list.add(pair({.port = 2, .priority = 8, .foundation = 1}));
    list.add(pair({.port = 3, .priority = 7, .foundation = 1}));
    list.take_next()->state = InProgress;
    CHECK_FALSE(list.has_next());
    CHECK(list.take_next() == nullptr);
    list.pairs()[0].state = Failed;
    REQUIRE(list.has_next());
    list.take_next()->state = InProgress;
    CHECK(states(list) == States{Failed, InProgress, Frozen});
}

TEST_CASE("ice checklist: of redundant pairs the higher stays, unless one is being tried") {
    Checklist list;
    list.add(pair({.port = 1, .priority = 5}));
    const PairId id = list.pairs()[0].id;
    CHECK(list.add(pair({.port = 1, .priority = 9})) == Checklist::Added::Redundant);
    REQUIRE(list.pairs().size() == 1);
    CHECK(list.pairs()[0].priority.value == 9);
    CHECK(list.pairs()[0].id == id);
    CHECK(list.add(pair({.port = 1, .priority = 3})) == Checklist::Added::Redundant);
    CHECK(list.pairs()[0].priority.value == 9);
    list.pairs()[0].state = InProgress;
    CHECK(list.add(pair({.port = 1, .priority = 99})) == Checklist::Added::Redundant);
    CHECK(list.pairs()[0].priority.value == 9);
}

TEST_CASE("ice checklist: at its limit a failed pair makes room, then a lower one, then none") {
    Checklist list{3};
    for (std::uint16_t i = 1; i <= 3; ++i) list.add(pair({.port = i, .priority = 10U * i}));
    list.pairs()[0].state = Failed;  // the one of 30
    CHECK(list.add(pair({.port = 4, .priority = 5})) == Checklist::Added::New);
    CHECK(list.pairs().size() == 3);
    CHECK(list.add(pair({.port = 5, .priority = 50})) == Checklist::Added::New);  // 5 goes
    REQUIRE(list.pairs().size() == 3);
    CHECK(list.pairs()[2].priority.value == 10);
    CHECK(list.add(pair({.port = 6, .priority = 1})) == Checklist::Added::NoRoom);
    for (auto& entry : list.pairs()) entry.state = Succeeded;
    CHECK(list.add(pair({.port = 6, .priority = 99})) == Checklist::Added::NoRoom);
}

TEST_CASE("ice checklist: a pair that the peer asked for is not given up to make room") {
    Checklist list{1};
    list.add(pair({.port = 1, .priority = 1}));
    list.enqueue_triggered(list.pairs()[0].id);
    CHECK(list.add(pair({.port = 2, .priority = 9})) == Checklist::Added::NoRoom);
}

TEST_CASE("ice checklist: holds as many pairs as RFC 8445 Section 6.1.2.5 says, and not one more") {
    Checklist list;
    for (std::uint16_t i = 1; i <= limits::most_pairs; ++i) {
        REQUIRE(list.add(pair({.port = i, .priority = i})) == Checklist::Added::New);
    }
    CHECK(list.add(pair({.port = 1000, .priority = 1000})) == Checklist::Added::New);
    CHECK(list.pairs().size() == limits::most_pairs);
    CHECK(list.pairs().back().priority.value == 2);
}

TEST_CASE("ice checklist: a nomination ends the component's unfinished pairs and no other's") {
    Checklist list;
    list.add(pair({.port = 1, .priority = 9, .foundation = 1}));
    list.add(pair({.port = 2, .priority = 8, .foundation = 2}));
    list.add(pair({.port = 3, .priority = 7, .foundation = 3}));
    list.add(pair({.port = 4, .priority = 6, .foundation = 4, .component = 2}));
    list.pairs()[0].state = Succeeded;
    list.pairs()[1].state = Failed;
    list.enqueue_triggered(list.pairs()[2].id);
    list.conclude({1}, list.pairs()[0].id);
    CHECK(states(list) == States{Succeeded, Failed, Removed, Waiting});
    CHECK(list.triggered_count() == 0);
}

}  // namespace
}  // namespace stile::ice
