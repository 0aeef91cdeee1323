// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace stile::relay {

// Both ends belong to it, and are of one family.
struct AddressRange {
    IpAddress first;
    IpAddress last;
};

// "192.0.2.1", "192.0.2.1-192.0.2.9" or "192.0.2.0/24".
std::optional<AddressRange> parse_range(std::string_view text);
// The ranges of `from` without those of `taken`, as the fewest prefixes.
std::vector<IpPrefix> prefixes_without(const std::vector<AddressRange>& from,
                                       const std::vector<AddressRange>& taken);

}  // namespace stile::relay
