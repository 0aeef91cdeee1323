// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attributes.hpp>

#include <array>
#include <cstdint>
#include <numeric>

namespace stile::turn {

// How many requests were answered with which error.
class RefusalCounters {
public:
    // All that a TURN server answers with.
    static constexpr std::array codes{
        stun::error::try_alternate.code,
        stun::error::bad_request.code,
        stun::error::unauthenticated.code,
        stun::error::forbidden.code,
        stun::error::mobility_forbidden.code,
        stun::error::unknown_attribute.code,
        stun::error::allocation_mismatch.code,
        stun::error::stale_nonce.code,
        stun::error::address_family_not_supported.code,
        stun::error::wrong_credentials.code,
        stun::error::unsupported_transport.code,
        stun::error::peer_family_mismatch.code,
        stun::error::connection_already_exists.code,
        stun::error::connection_failure.code,
        stun::error::allocation_quota_reached.code,
        stun::error::server_error.code,
        stun::error::insufficient_capacity.code,
    };

    // Requires: one of `codes`.
    void count(const stun::ErrorCode& error);
    void add(const RefusalCounters& other);
    // Of codes[index].
    std::uint64_t at(std::size_t index) const { return counts_.at(index); }
    std::uint64_t of(const stun::ErrorCode& error) const;
    std::uint64_t total() const {
        return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
    }

private:
    std::array<std::uint64_t, codes.size()> counts_{};
};

}  // namespace stile::turn
