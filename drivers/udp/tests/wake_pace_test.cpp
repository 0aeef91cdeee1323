// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "../src/wake_pace.hpp"

#include <doctest/doctest.h>

using namespace stile;
using namespace stile::drivers;
using namespace std::chrono_literals;

namespace {

// Rounds at even distances; the waits that were asked for.
struct Rounds {
    Instant now;
    WakePace pace{now};
    int waits = 0;

    void run(int count, Duration distance, std::size_t messages) {
        for (int i = 0; i < count; ++i) {
            now += distance;
            if (pace.after_round(now, messages) != Duration::zero()) ++waits;
        }
    }
};

}  // namespace

TEST_CASE("wake pace: below the rate nothing waits") {
    Rounds rounds;
    rounds.run(20'000, 50us, 1);  // 20,000 a second
    rounds.run(200, 1ms, 49);
    rounds.run(2'000, 50us, 0);
    CHECK(rounds.waits == 0);
}

TEST_CASE("wake pace: bursts of a slow stream do not make it a fast one") {
    Rounds rounds;
    for (int burst = 0; burst < 100; ++burst) {
        rounds.run(20, 50us, 5);  // 100,000 a second for a millisecond,
        rounds.run(1, 1500us, 1);
    }
    CHECK(rounds.waits == 0);
}

TEST_CASE("wake pace: above the rate messages gather, from some milliseconds on") {
    Rounds rounds;
    rounds.run(30, 50us, 6);
    CHECK(rounds.waits == 0);
    rounds.run(1'000, 50us, 6);
    CHECK(rounds.waits >= 780);
}

TEST_CASE("wake pace: full rounds and empty ones are followed at once") {
    Rounds rounds;
    rounds.run(100, 200us, WakePace::full_round);
    CHECK(rounds.waits == 0);
    rounds.run(1, 10us, 1);
    CHECK(rounds.waits == 1);
    rounds.run(1, 10us, 0);
    CHECK(rounds.waits == 1);
}

TEST_CASE("wake pace: after a pause the first message does not wait") {
    Rounds rounds;
    rounds.run(1'000, 50us, 6);
    rounds.waits = 0;
    rounds.run(1, 1s, 1);
    CHECK(rounds.waits == 0);
}
