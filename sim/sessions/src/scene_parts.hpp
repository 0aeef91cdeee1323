// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/scene.hpp>

#include <string_view>

namespace stile::sim {

// What scenes are put together from. Requires of every text: it is an address.
IpAddress ip(std::string_view text);
std::uint32_t draw(crypto::RandomStream& random, std::uint32_t from, std::uint32_t to);

// The line of a home: the only place of delay and loss, so that these are the path's.
Link line(crypto::RandomStream& random, Weather weather);
Link cable();

// The rest of what a NAT may do is drawn.
NatBehavior nat(NatKind kind, crypto::RandomStream& random);
NatKind any_kind(crypto::RandomStream& random);

Scene scene_with_server(std::string name);
void put_left(Scene& scene, NetworkId network, std::string_view address, const Link& link);
void put_right(Scene& scene, NetworkId network, std::string_view address, const Link& link);

}  // namespace stile::sim
