// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/session_run.hpp>

#include <doctest/doctest.h>

namespace stile::sim::test {

using namespace std::chrono_literals;

inline constexpr std::uint64_t sessions_a_pair = 20;

inline void fetch_once(const Scene& scene, std::uint64_t seed) {
    SessionRun run{scene, seed};
    const auto problem = run.run_whole_session();
    CHECK_MESSAGE(!problem, scene.name, ", seed ", seed, ": ", problem.value_or(""));
}

// Seeds from `first`; one half of the pairs, so that two programs share the work.
inline void fetch_all_pairs(std::size_t half, std::uint64_t first, std::uint64_t seeds) {
    std::size_t number = 0;
    for (const NatKind left : nat_kinds()) {
        for (const NatKind right : nat_kinds()) {
            if (++number % 2 != half) continue;
            for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
                fetch_once(two_homes(left, right, seed, Weather::Rough), seed);
            }
        }
    }
}

}  // namespace stile::sim::test
