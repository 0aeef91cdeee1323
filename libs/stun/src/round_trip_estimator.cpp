// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/round_trip_estimator.hpp>

#include <algorithm>

namespace stile::stun {

void RoundTripEstimator::add(Instant now, Duration round_trip) {
    if (!estimate_ || now - estimate_->updated >= stale_after) {
        // RFC 6298 Section 2.2.
        estimate_ = {.smoothed = round_trip, .variation = round_trip / 2, .updated = now};
        return;
    }
    // RFC 6298 Section 2.3: beta is 1/4, alpha 1/8.
    const Duration off = round_trip > estimate_->smoothed ? round_trip - estimate_->smoothed
                                                          : estimate_->smoothed - round_trip;
    estimate_->variation = (estimate_->variation * 3 + off) / 4;
    estimate_->smoothed = (estimate_->smoothed * 7 + round_trip) / 8;
    estimate_->updated = now;
}

Duration RoundTripEstimator::rto(Instant now) const {
    if (!estimate_ || now - estimate_->updated >= stale_after) return least_rto;
    constexpr Duration granularity = std::chrono::milliseconds{1};
    const Duration rto = estimate_->smoothed + std::max(granularity, estimate_->variation * 4);
    return std::clamp(rto, least_rto, most_rto);
}

}  // namespace stile::stun
