// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace stile::peer {

// Where this person's keys, accounts and pins are kept: STILE_HOME, else XDG_DATA_HOME/stile, else
// ~/.local/share/stile.
std::string home_directory();
std::string store_path();

// STILE_LOOPBACK=1 admits loopback candidates (docs/guide/loopback.md).
bool loopback_admitted();

// STILE_PORT_MAPPING=0 leaves routers alone, and so does STILE_LOOPBACK=1.
bool port_mapping_wanted();

// STILE_HIDE_ADDRESSES=1 tells peers names of multicast DNS in place of this host's addresses.
bool address_hiding_wanted();

}  // namespace stile::peer
