// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "session_cases.hpp"

namespace stile::sim::test {

TEST_CASE("session: ten times as many seeds behind every NAT pair") {
    for (const std::size_t half : {0U, 1U}) fetch_all_pairs(half, 2000, 10 * sessions_a_pair);
}

}  // namespace stile::sim::test
