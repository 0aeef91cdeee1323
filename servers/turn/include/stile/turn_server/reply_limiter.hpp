// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/base/siphash.hpp>
#include <stile/turn/token_bucket.hpp>

#include <vector>

namespace stile::turn_server {

struct ReplyLimits {
    // Answers to one prefix, of all kinds together.
    turn::TokenRate rate{.per_second = 100, .burst = 400};
    // Whom a reflection attack aims at is a network rather than a host.
    std::uint8_t ipv4_prefix = 24;
    std::uint8_t ipv6_prefix = 56;
    std::size_t buckets = 16384;  // a power of two, at most most_reply_buckets
};

// Bounds the answers to those who have shown no credential, and so have not shown that they receive
// at the address that the request bears. The memory is fixed: prefixes share buckets by a keyed
// hash, and a flood from many addresses makes nothing grow.
class ReplyLimiter {
public:
    // Requires: the bounds of ReplyLimits.
    ReplyLimiter(Instant now, ReplyLimits limits, HashSeed seed);

    enum class Verdict : std::uint8_t { Answer, Silence };
    Verdict judge(Instant now, const IpAddress& client);

private:
    ReplyLimits limits_;
    HashSeed seed_;
    std::vector<turn::TokenBucket> buckets_;
};

}  // namespace stile::turn_server
