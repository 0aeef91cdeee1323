// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "connect_cases.hpp"

namespace stile::sim::test {

TEST_CASE(
    "connect: every NAT pair with an address- and port-dependent left one ends on the best way") {
    connect_all_pairs(Mapping::AddressAndPortDependent, seeds_a_pair);
}

}  // namespace stile::sim::test
