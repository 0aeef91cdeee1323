// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/base/siphash.hpp>
#include <stile/turn/token_bucket.hpp>

#include <optional>
#include <vector>

namespace stile::turn_server {

struct ReplyLimits {
    // Answers to one prefix, of all kinds together. 400 newcomers a second are more than a
    // carrier's NAT has, and 400 challenges of 150 octets are half a megabit a second towards whom
    // a forger of addresses names.
    turn::TokenRate rate{.per_second = 400, .burst = 1600};
    // Whom a reflection attack aims at is a network rather than a host.
    std::uint8_t ipv4_prefix = 24;
    std::uint8_t ipv6_prefix = 56;
    std::size_t buckets = 16384;  // a power of two, at most most_reply_buckets
    // Octets of answers to all strangers together: from however many prefixes a flood comes, what
    // goes out stays below what a link worth flooding brings in. Absent: no such limit.
    std::optional<turn::TokenRate> octets =
        turn::TokenRate{.per_second = 1U << 20U, .burst = 1U << 21U};
    friend bool operator==(const ReplyLimits&, const ReplyLimits&) = default;
};

// Bounds the answers to those who have shown no credential, and so have not shown that they receive
// at the address that the request bears. The memory is fixed: prefixes share buckets by a keyed
// hash, and a flood from many addresses makes nothing grow.
class ReplyLimiter {
public:
    // Requires: the bounds of ReplyLimits.
    ReplyLimiter(Instant now, ReplyLimits limits, HashSeed seed);

    // Full buckets again where anything differs. Requires: as the constructor.
    void set_limits(Instant now, ReplyLimits limits);

    enum class Verdict : std::uint8_t { Answer, Silence };
    Verdict judge(Instant now, const IpAddress& client);
    // An answer that was judged has reached who asked for it: it does not count against the prefix.
    void put_back(Instant now, const IpAddress& client);
    // An answer that was judged turned out so long.
    void charge(Instant now, std::size_t octets);

private:
    turn::TokenBucket& bucket_of(const IpAddress& client);

    ReplyLimits limits_;
    turn::TokenBucket octets_;
    HashSeed seed_;
    std::vector<turn::TokenBucket> buckets_;
};

}  // namespace stile::turn_server
