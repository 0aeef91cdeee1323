// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace stile {

// A clock without now(): a core can hold and compare instants but cannot read one.
struct Timeline {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Timeline>;
    static constexpr bool is_steady = true;
};

using Duration = Timeline::duration;
using Instant = Timeline::time_point;

// Seconds since 1970 without leap seconds, for what other hosts see: certificate validity, expiring
// credentials, Date headers. Handed in like `now`; unlike an Instant it may jump.
using WallTime = std::chrono::sys_seconds;

}  // namespace stile
