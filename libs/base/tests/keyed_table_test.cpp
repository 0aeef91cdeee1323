// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/keyed_table.hpp>

#include <map>

namespace stile {
namespace {

// The designers' key 00 01 .. 0f, read as little-endian words.
constexpr HashSeed reference_seed{.k0 = 0x0706050403020100U, .k1 = 0x0f0e0d0c0b0a0908U};

TEST_CASE("siphash: SipHash-2-4 gives the designers' reference values") {
    // Appendix A of the SipHash paper: fifteen octets 00 .. 0e.
    SipHash<2, 4> fifteen{reference_seed};
    fifteen.word(0x0706050403020100U);
    CHECK(fifteen.finish(0x0f0e0d0c0b0a0908U) == 0xa129ca6149be45e5U);
    SipHash<2, 4> empty{reference_seed};
    CHECK(empty.finish(0) == 0x726fdb47dd0e0e31U);
}

TEST_CASE("keyed table: finds what was inserted, and nothing else") {
    KeyedTable<2, int> table{reference_seed};
    CHECK(table.find({1, 2}) == nullptr);
    CHECK_FALSE(table.erase({1, 2}));
    table.insert({1, 2}, 3);
    REQUIRE(table.find({1, 2}) != nullptr);
    CHECK(*table.find({1, 2}) == 3);
    CHECK(table.find({2, 1}) == nullptr);
    CHECK(table.insert({1, 2}, 9) == 3);
    CHECK(table.size() == 1);
    CHECK(table.erase({1, 2}));
    CHECK(table.size() == 0);
    CHECK(table.find({1, 2}) == nullptr);
}

TEST_CASE("keyed table: agrees with a map over random insertions and removals") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        KeyedTable<1, std::uint64_t> table{{.k0 = seed, .k1 = ~seed}};
        std::map<std::uint64_t, std::uint64_t> model;
        std::uint64_t state = seed;
        for (int step = 0; step < 4000; ++step) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            const std::uint64_t key = (state >> 33U) % 300;
            if ((state >> 62U) == 0) {
                CHECK(table.erase({key}) == (model.erase(key) == 1));
            } else {
                table.insert({key}, state);
                model.emplace(key, state);
            }
        }
        CHECK(table.size() == model.size());
        for (std::uint64_t key = 0; key < 300; ++key) {
            const auto known = model.find(key);
            const std::uint64_t* found = table.find({key});
            CHECK((found != nullptr) == (known != model.end()));
            if (found != nullptr) CHECK(*found == known->second);
        }
    }
}

}  // namespace
}  // namespace stile
