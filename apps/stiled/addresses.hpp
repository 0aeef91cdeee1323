// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.hpp"

#include <string>
#include <vector>

namespace stile::stiled {

// The first listening address that others can use, its wildcard replaced by the machine's best.
SocketAddress reachable_address(const std::vector<SocketAddress>& listen, const Config& config);
std::string host_name();

}  // namespace stile::stiled
