// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/product.hpp>

namespace stile::sim {

// The scenes of the table's sections: what the cell says, and the rest as the seed draws it.
enum class Ipv6Only : std::uint8_t { SameNat64, OtherNat64, DualStack, NoNat64, count };

Scene make_pair(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_ipv6_only(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_double_nat(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_same_home(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_same_carrier(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_expiring(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_stun_only(const Cell& cell, std::uint64_t seed, Weather weather);
Scene make_alg(const Cell& cell, std::uint64_t seed, Weather weather);

}  // namespace stile::sim
