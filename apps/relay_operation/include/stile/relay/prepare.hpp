// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/relay/settings_file.hpp>
#include <stile/relay/state_folder.hpp>

#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace stile::relay {

// This machine's addresses: public ones first, then private ones, loopback last.
std::vector<IpAddress> machine_addresses();

// What settings depend on besides their file. Tests put their own machine here.
struct Machine {
    std::vector<IpAddress> addresses;
    enum class Ipv6 : std::uint8_t { Absent, Present };
    Ipv6 ipv6 = Ipv6::Absent;
    // server, local address
    std::function<std::expected<IpAddress, std::string>(const std::string&, const IpAddress&)>
        ask_external_address;

    static Machine this_one();
};

// Fills in what the file leaves to the machine and to other files: certificates, secrets, relay and
// external addresses. Asking for an external address blocks for seconds.
std::expected<Settings, app::Problem> prepare(const SettingsFile& file, const StateFolder& state,
                                              const Machine& machine);

}  // namespace stile::relay
