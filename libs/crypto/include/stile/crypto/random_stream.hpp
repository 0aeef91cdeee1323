// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <memory>

namespace stile::crypto {

using Seed = std::array<std::byte, 32>;

// Cryptographically strong octets computed from a seed alone: the only randomness a core has. A
// driver seeds it from the operating system, a test from a number it can print.
class RandomStream {
public:
    explicit RandomStream(const Seed& seed);
    RandomStream(RandomStream&&) noexcept;
    RandomStream& operator=(RandomStream&&) noexcept;
    ~RandomStream();

    void fill(MutableBytes output);
    std::uint32_t u32();
    std::uint64_t u64();
    // Uniform in [0, bound). Requires: bound > 0.
    std::uint64_t below(std::uint64_t bound);
    Bytes bytes(std::size_t count);
    template <std::size_t count>
    std::array<std::byte, count> array() {
        std::array<std::byte, count> output;
        fill(output);
        return output;
    }
    // A stream of its own, for a machine that this one's owner makes.
    RandomStream fork();

private:
    struct State;
    std::unique_ptr<State> state_;
};

// For tests and simulations: a seed that can be printed as one number.
Seed seed_from_number(std::uint64_t number);

}  // namespace stile::crypto
