// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "product_cases.hpp"

namespace stile::sim::test {

TEST_CASE("product: thirty seeds more of every cell") { run_product(3, 32); }

}  // namespace stile::sim::test
