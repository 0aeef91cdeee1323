// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/refusal_counters.hpp>

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

std::size_t place_of(const stun::ErrorCode& error) {
    const auto found = std::ranges::find(RefusalCounters::codes, error.code);
    STILE_ASSERT(found != RefusalCounters::codes.end());
    return static_cast<std::size_t>(found - RefusalCounters::codes.begin());
}

}  // namespace

void RefusalCounters::count(const stun::ErrorCode& error) { ++counts_.at(place_of(error)); }

void RefusalCounters::add(const RefusalCounters& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_.at(i) += other.counts_.at(i);
}

std::uint64_t RefusalCounters::of(const stun::ErrorCode& error) const {
    return counts_.at(place_of(error));
}

}  // namespace stile::turn
