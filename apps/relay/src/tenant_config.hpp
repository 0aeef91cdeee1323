// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/relay/settings.hpp>
#include <stile/turn/relay_directory.hpp>
#include <stile/turn_server/service.hpp>

namespace stile::relay {

// What one shard's core of one tenant is configured with.
turn_server::ServiceConfig service_config(const Settings& settings, const Tenant& tenant,
                                          std::uint8_t shard, turn::RelayDirectory& directory,
                                          turn::Offer offload);

// Fills in the tenant's accounts, secrets and token keys, and removes the accounts that only
// `before` has. False where a limit of the table is passed.
[[nodiscard]] bool fill_credentials(turn::CredentialTable& table, const Tenant& tenant,
                                    const Tenant* before = nullptr);

}  // namespace stile::relay
