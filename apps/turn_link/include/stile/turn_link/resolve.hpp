// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/dns.hpp>
#include <stile/turn/discovery.hpp>

#include <memory>

namespace stile::turn_link {

// Carries a ServerResolution out. `done` is called once, not inside the call, with what was found
// until the deadline; empty where there is nothing. Nothing is called any more when what is
// returned is gone, and that must be before `names` and the loop are.
[[nodiscard]] std::shared_ptr<void> resolve_servers(
    drivers::Loop& loop, drivers::NameService& names, const turn::TurnUri& uri,
    std::span<const turn::ClientTransport> supported, Duration deadline,
    std::move_only_function<void(std::vector<turn::ServerAddress>)> done);

}  // namespace stile::turn_link
