// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/random_stream.hpp>

namespace stile::ice {

// When a refused simultaneous open is tried again. RFC 6544 leaves it open.
//
// A NAT that answers an unexpected SYN with a reset ends the attempt of the side that was first.
// Two attempts meet when they begin within one way's time of each other, so they are repeated
// quickly, at random intervals lest the two sides keep missing each other; then ever more slowly,
// until the check is given up after Ti. A SYN has 60 octets or so: the quick ones make 6 kB/s, for
// 4 s, which outlasts the time that signalling takes to set off the other side.
struct SimultaneousOpenSchedule {
    static constexpr Duration quick = std::chrono::milliseconds{10};  // randomised by 0.5 to 1.5
    static constexpr std::uint32_t quick_tries = 400;
    static constexpr Duration slowest = std::chrono::seconds{1};

    // How long to wait after so many refusals, the first being 1.
    static Duration wait_after(std::uint32_t refusals, crypto::RandomStream& random);
};

}  // namespace stile::ice
