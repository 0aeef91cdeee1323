// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "connect_cases.hpp"

namespace stile::sim::test {

TEST_CASE("connect: ten times as many seeds of every NAT pair and place") {
    for (const Mapping left : mappings) connect_all_pairs(left, 10 * seeds_a_pair);
    connect_all_places(10 * seeds_a_place);
}

}  // namespace stile::sim::test
