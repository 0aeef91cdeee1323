// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "../flood/flood.hpp"

namespace stile::turn_server::flood {
namespace {

TEST_CASE("turn service: a flood of strangers leaves memory flat") {
    const Outcome outcome = run(50'000, 20'000);
    CHECK(outcome.growth < 4096);
    CHECK(outcome.answers > 1000);
}

}  // namespace
}  // namespace stile::turn_server::flood
