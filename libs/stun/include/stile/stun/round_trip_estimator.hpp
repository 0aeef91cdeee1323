// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <optional>

namespace stile::stun {

// The retransmission timeout for one server, by RFC 6298 with the exceptions of RFC 8489 Section
// 6.2.1: 1 ms accuracy, at least 500 ms, forgotten after ten minutes without a transaction.
class RoundTripEstimator {
public:
    static constexpr Duration least_rto = std::chrono::milliseconds{500};
    static constexpr Duration most_rto = std::chrono::seconds{60};  // RFC 6298 Section 2.4
    static constexpr Duration stale_after = std::chrono::minutes{10};

    // A round trip measured without retransmission (ClientTransaction::Answered::round_trip).
    void add(Instant now, Duration round_trip);
    Duration rto(Instant now) const;

private:
    struct Estimate {
        Duration smoothed;
        Duration variation;
        Instant updated;
    };
    std::optional<Estimate> estimate_;
};

}  // namespace stile::stun
