// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "flood.hpp"

#include <string>

namespace stile::turn_server::flood {
namespace {

TEST_CASE("turn service: a million strangers leave memory flat and get less than they send") {
    const Outcome outcome = run(1'000'000, 100'000);
    CHECK(outcome.growth < 4096);
    CHECK(outcome.octets_out < outcome.octets_in);
    const std::string figures = std::to_string(outcome.octets_in) + " octets in, " +
                                std::to_string(outcome.octets_out) + " out in " +
                                std::to_string(outcome.answers) + " answers, memory grew by " +
                                std::to_string(outcome.growth);
    MESSAGE(figures);
}

}  // namespace
}  // namespace stile::turn_server::flood
