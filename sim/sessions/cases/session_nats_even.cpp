// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "session_cases.hpp"

namespace stile::sim::test {

TEST_CASE("session: fetched, connected and ended behind the even-numbered NAT pairs") {
    fetch_all_pairs(0, 1000, sessions_a_pair);
}

}  // namespace stile::sim::test
