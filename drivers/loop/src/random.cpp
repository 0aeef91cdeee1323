// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/random.hpp>

#include <stile/base/assert.hpp>

#include <sys/random.h>
#include <iterator>

namespace stile::drivers {

crypto::Seed random_seed() {
    crypto::Seed seed;
    // Up to 256 octets come whole and, after the pool's first filling, at once: getrandom(2).
    const ssize_t count = ::getrandom(seed.data(), seed.size(), 0);
    STILE_ASSERT(count == std::ssize(seed));
    return seed;
}

}  // namespace stile::drivers
