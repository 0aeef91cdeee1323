// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// One side of a running transfer goes to another network: each family, each place, each side, with
// the new uplink before the old one goes or after. The table is printed by stile_sim_uplink_switch.
#include <stile/sim/sessions/switch_run.hpp>

#include <doctest/doctest.h>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

TEST_CASE("uplink switch: the transfer goes on within the bound of its class, whole") {
    for (const SwitchConfig& config : all_switches(50ms)) {
        CAPTURE(static_cast<int>(config.families));
        CAPTURE(to_string(config.place));
        CAPTURE(to_string(config.mover));
        CAPTURE(to_string(config.order));
        const auto times = run_switch(config);
        CHECK_MESSAGE(times.has_value(), (times ? std::string{} : times.error()));
        if (!times) continue;
        CHECK(times->octets > 0);
        CHECK(to_string(times->chosen) == to_string(times->expected));
        const SwitchBound bound = bound_of(config);
        CAPTURE(bound.reason);
        CHECK_MESSAGE(times->in_round_trips(times->gap) < bound.round_trips, times->timeline);
    }
}

}  // namespace
}  // namespace stile::sim
