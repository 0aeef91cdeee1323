// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/drivers/os_error.hpp>

#include <cstdint>
#include <expected>
#include <vector>

namespace stile::drivers {

// Where a default route leads.
struct Gateway {
    IpAddress address;  // link-local for most of IPv6
    unsigned interface_index = 0;
    std::uint32_t metric = 0;  // the kernel prefers the lower
    friend bool operator==(const Gateway&, const Gateway&) = default;
};

// The routers of this host's default routes, those of the main table, best first; of a route over
// several all are told. Asks the kernel, which answers at once.
std::expected<std::vector<Gateway>, OsError> default_gateways();

}  // namespace stile::drivers
