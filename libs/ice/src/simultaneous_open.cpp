// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/simultaneous_open.hpp>

#include <algorithm>

namespace stile::ice {

Duration SimultaneousOpenSchedule::wait_after(std::uint32_t refusals,
                                              crypto::RandomStream& random) {
    Duration wait = quick;
    for (std::uint32_t i = quick_tries; i < refusals && wait < slowest; ++i) wait *= 2;
    wait = std::min(wait, slowest);
    const auto spread = static_cast<std::uint64_t>(wait.count());
    return wait / 2 + Duration{static_cast<Duration::rep>(random.below(spread + 1))};
}

}  // namespace stile::ice
