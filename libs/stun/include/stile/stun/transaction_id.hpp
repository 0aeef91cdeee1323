// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>

#include <array>
#include <compare>

namespace stile::stun {

// 96 bits, uniformly random and unpredictable. RFC 8489 Section 5.
struct TransactionId {
    std::array<std::byte, 12> octets{};

    static TransactionId random(crypto::RandomStream& stream) { return {stream.array<12>()}; }
    friend constexpr auto operator<=>(const TransactionId&, const TransactionId&) = default;
};

}  // namespace stile::stun
