// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/relay/settings.hpp>

#include <map>
#include <optional>

namespace stile::relay {

// How many connections there are that have shown no credential: of each source, and in all.
class StrangerLimit {
public:
    explicit StrangerLimit(const StreamLimits& limits) : limits_(limits) {}
    void set_limits(const StreamLimits& limits) { limits_ = limits; }

    // False where there is no room for one more. Without a source only the sum counts.
    [[nodiscard]] bool enter(const std::optional<IpAddress>& source);
    // Requires: it entered.
    void leave(const std::optional<IpAddress>& source);
    std::size_t count() const { return count_; }

private:
    StreamLimits limits_;
    std::map<IpAddress, std::size_t> by_source_;
    std::size_t count_ = 0;
};

}  // namespace stile::relay
