// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/relay/settings_file.hpp>

#include <string>
#include <vector>

namespace stile::relay {

// One thing that was looked at before serving.
struct Finding {
    enum class Weight : std::uint8_t {
        Good,     // `what` says what was found
        Warning,  // it will serve, and some will complain
        Fatal,    // it cannot serve
    };
    Weight weight = Weight::Good;
    std::string subject;   // "clock", "certificate", "relay address 192.0.2.1"
    app::Problem problem;  // `what` alone for Good
};

// Whether sockets that this process holds already count as in the way.
enum class Ports : std::uint8_t { Probe, InUseByUs };

// Looks at the machine with the eyes of the relay: descriptor limit, clock, certificate, addresses,
// ports, receive buffers, credentials, kernel path. Opens and closes sockets; changes nothing.
std::vector<Finding> self_check(const SettingsFile& file, const Settings& settings, Ports ports,
                                WallTime now);

// Each client costs a descriptor: the default of many systems, 1024, is soon used up.
void raise_descriptor_limit();

// As a program prints them. Good ones are one line each, others as app::to_text.
std::string to_text(const std::vector<Finding>& findings);
bool any_fatal(const std::vector<Finding>& findings);

}  // namespace stile::relay
