// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/route.hpp>
#include <stile/identity/proof.hpp>

#include <string>

namespace stile::peer {

// "direct 203.0.113.9:4000 ⇄ 198.51.100.4:5000, 23 ms", "relayed by 203.0.113.10:3478, 48 ms".
std::string describe(const connect::Route& route);
// "pinned", "not verified (first meeting)".
std::string describe(identity::Standing standing);

}  // namespace stile::peer
