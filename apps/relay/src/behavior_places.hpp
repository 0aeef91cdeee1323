// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/relay/settings.hpp>
#include <stile/turn_server/service.hpp>

namespace stile::relay {

// Where RFC 5780 is served. With Settings::alternate, the first UDP listener of its family that
// differs in address and port is its partner; every other UDP listener at an address serves what
// one address allows.
std::vector<turn_server::DiscoveryAddresses> discovery_addresses(const Settings& settings);

// What has to be listened at besides the settings' own listeners: the other three of the partners'
// four places, for UDP and, where the partner is served so, for TCP.
std::vector<Listener> behavior_listeners(const Settings& settings);

}  // namespace stile::relay
