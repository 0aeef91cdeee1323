// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/connect_run.hpp>

#include <doctest/doctest.h>

namespace stile::sim::test {

using namespace std::chrono_literals;

inline constexpr std::uint64_t seeds_a_pair = 50;
inline constexpr std::uint64_t seeds_a_place = 100;

inline void connect_one(const Scene& scene, std::uint64_t seed) {
    ConnectRun run{scene, seed, seed % 2 == 0 ? Signalling::Trickled : Signalling::Whole};
    const auto problem = run.run();
    CHECK_MESSAGE(!problem, scene.name, ", seed ", seed, ": ", problem.value_or(""), run.report());
}

inline void connect_all_pairs(Mapping left_mapping, std::uint64_t seeds) {
    for (const Filtering left_filtering : filterings) {
        const NatKind left{left_mapping, left_filtering};
        for (const NatKind right : nat_kinds()) {
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                connect_one(two_homes(left, right, seed, Weather::Rough), seed);
            }
        }
    }
}

inline void connect_all_places(std::uint64_t seeds) {
    for (std::size_t place = 0; place < static_cast<std::size_t>(Place::count); ++place) {
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            connect_one(make_place(static_cast<Place>(place), seed, Weather::Rough), seed);
        }
    }
}

}  // namespace stile::sim::test
