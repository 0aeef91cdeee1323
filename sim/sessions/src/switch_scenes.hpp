// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/session_run.hpp>
#include <stile/sim/sessions/switch_run.hpp>

namespace stile::sim {

// Before, with the other network there already, and what the mover finds in it.
struct SwitchScene {
    Scene scene;
    Uplink uplink;
};
SwitchScene make_switch_scene(const SwitchConfig& config);

// The topology when the switch is over.
Scene after_switch(const SwitchScene& before, SwitchMover mover);

}  // namespace stile::sim
