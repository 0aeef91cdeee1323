// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "product_cases.hpp"

#include <map>
#include <set>

namespace stile::sim::test {

TEST_CASE("product: in every cell of the table both connect, and by the oracle's best path") {
    run_product(1, 2);
}

TEST_CASE("product: the table has seven edges by seven in four families, and what lies beside") {
    std::map<std::string_view, std::size_t> sections;
    for (const Cell& cell : all_cells()) ++sections[cell.section];
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Families::count); ++i) {
        CHECK(sections[to_string(static_cast<Families>(i))] == 49);
    }
    CHECK(sections.size() == 21);
}

TEST_CASE("product: every kind of path is expected somewhere, so that agreement means something") {
    std::set<PathKind> kinds;
    std::set<std::optional<Passage>> passages;
    for (const Cell& cell : all_cells()) {
        const BestPath path = expected_path(cell.make(cell, 1, Weather::Fair));
        kinds.insert(path.kind);
        passages.insert(path.passage);
    }
    CHECK(kinds == std::set{PathKind::RelayedByBoth, PathKind::RelayedByOne, PathKind::TcpReflexive,
                            PathKind::TcpHost, PathKind::Reflexive, PathKind::Host});
    CHECK(passages.size() == 4);  // none for relays, and the three
}

TEST_CASE("product: a cell and a seed are a run, the same each time") {
    const Cell cell = all_cells().at(49 + 8);
    CHECK(trace_cell(cell, 2) == trace_cell(cell, 2));
    CHECK(trace_cell(cell, 2) != trace_cell(cell, 4));
}

}  // namespace stile::sim::test
