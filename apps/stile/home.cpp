// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "home.hpp"

#include <cstdlib>
#include <string_view>

namespace stile::peer {
namespace {

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string{} : std::string{value};
}

}  // namespace

std::string home_directory() {
    if (auto home = variable("STILE_HOME"); !home.empty()) return home;
    if (auto data = variable("XDG_DATA_HOME"); !data.empty()) return data + "/stile";
    return variable("HOME") + "/.local/share/stile";
}

std::string store_path() { return home_directory() + "/stile.db"; }

bool loopback_admitted() { return variable("STILE_LOOPBACK") == "1"; }

bool address_hiding_wanted() { return variable("STILE_HIDE_ADDRESSES") == "1"; }

bool port_mapping_wanted() { return !loopback_admitted() && variable("STILE_PORT_MAPPING") != "0"; }

}  // namespace stile::peer
