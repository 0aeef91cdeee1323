// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_server/reply_limiter.hpp>

#include <stile/base/assert.hpp>
#include <stile/turn_server/limits.hpp>

#include <bit>

namespace stile::turn_server {
namespace {

// The address with everything behind the prefix cleared, as words of a hash.
std::array<std::uint64_t, 3> prefix_words(const IpAddress& ip, unsigned length) {
    std::array<std::uint64_t, 3> words{};
    const BytesView octets = ip.octets();
    for (std::size_t i = 0; i * 8 < length; ++i) {
        const unsigned kept = std::min<unsigned>(8, length - static_cast<unsigned>(i) * 8);
        const unsigned octet = std::to_integer<unsigned>(octets[i]) & (0xFF00U >> kept) & 0xFFU;
        words[i / 8] |= std::uint64_t{octet} << (8 * (i % 8));
    }
    words[2] = ip.is_v6() ? 1 : 0;
    return words;
}

void check(const ReplyLimits& limits) {
    STILE_ASSERT(std::has_single_bit(limits.buckets) && limits.buckets <= most_reply_buckets);
    STILE_ASSERT(limits.ipv4_prefix <= 32 && limits.ipv6_prefix <= 128);
}

}  // namespace

ReplyLimiter::ReplyLimiter(Instant now, ReplyLimits limits, HashSeed seed)
    : limits_(limits), octets_(now, limits.octets.value_or(turn::TokenRate{})), seed_(seed) {
    check(limits);
    buckets_.assign(limits.buckets, turn::TokenBucket{now, limits.rate});
}

void ReplyLimiter::set_limits(Instant now, ReplyLimits limits) {
    if (limits == limits_) return;
    check(limits);
    limits_ = limits;
    octets_ = turn::TokenBucket{now, limits.octets.value_or(turn::TokenRate{})};
    buckets_.assign(limits.buckets, turn::TokenBucket{now, limits.rate});
}

ReplyLimiter::Verdict ReplyLimiter::judge(Instant now, const IpAddress& client) {
    if (limits_.octets && !octets_.has(now, *limits_.octets, 1)) return Verdict::Silence;
    return bucket_of(client).take(now, limits_.rate, 1) ? Verdict::Answer : Verdict::Silence;
}

void ReplyLimiter::put_back(Instant now, const IpAddress& client) {
    bucket_of(client).put_back(now, limits_.rate, 1);
}

turn::TokenBucket& ReplyLimiter::bucket_of(const IpAddress& client) {
    const unsigned length = client.is_v4() ? limits_.ipv4_prefix : limits_.ipv6_prefix;
    const std::uint64_t hash = table_hash(seed_, prefix_words(client, length));
    return buckets_[static_cast<std::size_t>(hash) & (buckets_.size() - 1)];
}

void ReplyLimiter::charge(Instant now, std::size_t octets) {
    if (limits_.octets) octets_.charge(now, *limits_.octets, octets);
}

}  // namespace stile::turn_server
