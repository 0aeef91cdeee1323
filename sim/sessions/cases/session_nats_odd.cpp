// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "session_cases.hpp"

namespace stile::sim::test {

TEST_CASE("session: fetched, connected and ended behind the odd-numbered NAT pairs") {
    fetch_all_pairs(1, 1000, sessions_a_pair);
}

}  // namespace stile::sim::test
