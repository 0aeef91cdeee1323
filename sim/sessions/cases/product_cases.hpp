// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/product.hpp>

#include <doctest/doctest.h>

namespace stile::sim::test {

// Of every cell whose number leaves `rest` by `parts`: programs share the work.
inline void run_product(std::uint64_t first_seed, std::uint64_t last_seed, std::size_t rest = 0,
                        std::size_t parts = 1) {
    const std::vector<Cell> cells = all_cells();
    for (std::size_t i = rest; i < cells.size(); i += parts) {
        for (std::uint64_t seed = first_seed; seed <= last_seed; ++seed) {
            const CellOutcome outcome = run_cell(cells[i], seed);
            CHECK_MESSAGE(!outcome.problem, "cell ", i, ": ", outcome.problem.value_or(""));
            CHECK_MESSAGE(outcome.chosen == outcome.expected, "cell ", i, ", seed ", seed);
            CHECK(outcome.expected.kind != PathKind::None);
        }
    }
}

}  // namespace stile::sim::test
