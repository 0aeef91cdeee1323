// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/assert.hpp>
#include <stile/ice/limits.hpp>

namespace stile::ice {

// Hands out slots that are at least an interval apart, first come, first served. An agent has one
// of its own for Ta; a process with many agents passes one more, with the least interval, to
// Agent::handle_timeout. RFC 8445 Section 14.2.
class Pacer {
public:
    // Requires: interval is at least limits::least_ta.
    explicit Pacer(Duration interval = limits::least_ta) : interval_(interval) {
        STILE_ASSERT(interval_ >= limits::least_ta);
    }

    // The first free slot, which is now taken. Never before `now`.
    Instant reserve(Instant now) {
        const Instant slot = now < next_ ? next_ : now;
        next_ = slot + interval_;
        return slot;
    }

    // When the next slot will be free.
    Instant next() const { return next_; }
    bool ready(Instant now) const { return now >= next_; }
    Duration interval() const { return interval_; }

private:
    Duration interval_;
    Instant next_ = Instant::min();
};

}  // namespace stile::ice
