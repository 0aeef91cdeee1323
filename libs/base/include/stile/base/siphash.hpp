// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <bit>

namespace stile {

// A secret that makes the order inside a hash table unpredictable to those who choose the keys.
struct HashSeed {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

// SipHash-c-d of Aumasson and Bernstein, fed with whole little-endian 64-bit words. SipHash-1-3 is
// what hash tables use; it is not a message authentication code.
template <unsigned compression_rounds, unsigned finalization_rounds>
class SipHash {
public:
    explicit constexpr SipHash(HashSeed seed)
        : v0_(seed.k0 ^ 0x736f6d6570736575U),
          v1_(seed.k1 ^ 0x646f72616e646f6dU),
          v2_(seed.k0 ^ 0x6c7967656e657261U),
          v3_(seed.k1 ^ 0x7465646279746573U) {}

    constexpr void word(std::uint64_t value) {
        v3_ ^= value;
        for (unsigned i = 0; i < compression_rounds; ++i) round();
        v0_ ^= value;
    }

    // `last` holds up to seven remaining octets, and the whole length modulo 256 in its top octet.
    constexpr std::uint64_t finish(std::uint64_t last) {
        word(last);
        v2_ ^= 0xFFU;
        for (unsigned i = 0; i < finalization_rounds; ++i) round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

private:
    constexpr void round() {
        v0_ += v1_;
        v2_ += v3_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v1_;
        v0_ += v3_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_;
    std::uint64_t v1_;
    std::uint64_t v2_;
    std::uint64_t v3_;
};

// SipHash-1-3 over a key of whole words.
template <std::size_t count>
constexpr std::uint64_t table_hash(HashSeed seed, const std::array<std::uint64_t, count>& words) {
    SipHash<1, 3> hash{seed};
    for (const std::uint64_t word : words) hash.word(word);
    return hash.finish(std::uint64_t{(count * 8) & 0xFFU} << 56U);
}

}  // namespace stile
