// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/drivers/udp_limits.hpp>

#include <cstddef>

namespace stile::drivers {

// Says when to let messages gather before the next look at the sockets, as network interfaces do
// with their interrupts: to be woken costs as much as several messages, and the more of a flow come
// together, the more of it leaves as one. Below the rate nothing waits, and so does nothing where a
// round is full as it is.
class WakePace {
public:
    static constexpr std::size_t busy_rate = 75'000;  // messages a second
    static constexpr std::size_t full_round = most_messages_a_round;
    // With the kernel's 50 microseconds of slack, a wait is 100 to 150.
    static constexpr Duration patience = std::chrono::microseconds{100};

    explicit WakePace(Instant now) : window_from_(now) {}

    // After each round. How long to leave the sockets alone.
    Duration after_round(Instant now, std::size_t messages);

private:
    // Long enough for a burst within a slow stream not to look like a fast one.
    static constexpr Duration window = std::chrono::milliseconds{10};

    Instant window_from_;
    std::size_t in_window_ = 0;
    bool busy_ = false;
};

}  // namespace stile::drivers
