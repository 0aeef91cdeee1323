// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// One side of a running transfer goes to another network, whose uplink is up before the old goes.
#include <stile/sim/sessions/switch_run.hpp>

#include <doctest/doctest.h>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

constexpr double most_round_trips = 3;

TEST_CASE(
    "uplink switch: without a relay and with both uplinks for a while, the transfer goes on") {
    for (const SwitchConfig& config : all_switches(50ms)) {
        if (config.order != SwitchOrder::MakeFirst) continue;
        if (config.place != SwitchPlace::Public && config.place != SwitchPlace::DirectToDirect) {
            continue;
        }
        CAPTURE(static_cast<int>(config.families));
        CAPTURE(to_string(config.place));
        CAPTURE(to_string(config.mover));
        const auto times = run_switch(config);
        CHECK_MESSAGE(times.has_value(), (times ? std::string{} : times.error()));
        if (!times) continue;
        CHECK(times->octets > 0);
        CHECK(times->chosen == times->expected);
        CHECK_MESSAGE(times->in_round_trips(times->gap) < most_round_trips, times->timeline);
    }
}

}  // namespace
}  // namespace stile::sim
