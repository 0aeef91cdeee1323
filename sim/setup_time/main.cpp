// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// How long a session takes to set up, in round trips, place by place.
#include <stile/sim/sessions/setup_run.hpp>

#include <cstdio>

int main() {
    using namespace stile;
    using namespace std::chrono_literals;
    std::puts(
        "From the moment on which both sides have all candidates, in round trips of 100 ms.\n"
        "rank: of the pair that carried the first octet, by priority, of all pairs of the client.");
    for (const Duration ta : {Duration{5ms}, Duration{20ms}, Duration{50ms}}) {
        std::printf("\nTa %lld ms\n%s",
                    static_cast<long long>(
                        std::chrono::duration_cast<std::chrono::milliseconds>(ta).count()),
                    sim::setup_table({.ta = ta}).c_str());
    }
    return 0;
}
