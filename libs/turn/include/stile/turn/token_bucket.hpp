// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace stile::turn {

// Lets `rate` units a second through, and a burst after a pause.
struct TokenRate {
    std::uint64_t per_second = 0;  // at most 2^32
    std::uint64_t burst = 0;       // at least what one taker takes at once
    friend bool operator==(TokenRate, TokenRate) = default;
};

// A bucket that is counted in minutes: each of `count` costs one_a_minute.
inline constexpr std::uint64_t one_a_minute = 60;
constexpr TokenRate per_minute(std::uint32_t count) {
    return {.per_second = count, .burst = one_a_minute * count};
}

class TokenBucket {
public:
    static constexpr std::chrono::seconds most_debt{60};

    // Full.
    TokenBucket(Instant now, TokenRate rate) : tokens_(rate.burst), refilled_(now) {}

    // True where the bucket had as many, which it then has no more.
    bool take(Instant now, TokenRate rate, std::uint64_t count) {
        refill(now, rate);
        if (tokens_ < count) return false;
        tokens_ -= count;
        return true;
    }

    // What was taken was not used after all.
    void put_back(Instant now, TokenRate rate, std::uint64_t count) {
        refill(now, rate);
        tokens_ = std::min(rate.burst, tokens_ + count);
    }

    // For what has been used already: false where the bucket had less. What is missing is owed, up
    // to most_debt, and paid before the bucket has anything again.
    bool charge(Instant now, TokenRate rate, std::uint64_t count) {
        if (take(now, rate, count)) return true;
        const std::uint64_t missing = count - std::exchange(tokens_, 0);
        if (rate.per_second == 0) return false;
        constexpr std::uint64_t second = 1'000'000'000;
        const auto limit = static_cast<std::uint64_t>(std::chrono::seconds{most_debt}.count());
        const std::uint64_t owed = std::min(missing, limit * rate.per_second);
        const std::uint64_t time =
            owed / rate.per_second * second + owed % rate.per_second * second / rate.per_second;
        refilled_ = std::min(std::max(refilled_, now) + Duration{static_cast<std::int64_t>(time)},
                             now + most_debt);
        return false;
    }

    bool has(Instant now, TokenRate rate, std::uint64_t count) {
        refill(now, rate);
        return tokens_ >= count;
    }

    // When it has all of the burst, if nobody takes any of it. Instant::max() where that is never.
    Instant full_at(TokenRate rate) const {
        if (tokens_ >= rate.burst) return refilled_;
        if (rate.per_second == 0) return Instant::max();
        constexpr std::uint64_t second = 1'000'000'000;
        constexpr std::uint64_t most_seconds = second;  // longer than anything lasts
        const std::uint64_t missing = rate.burst - tokens_;
        const std::uint64_t whole = std::min(missing / rate.per_second, most_seconds);
        const std::uint64_t part =
            (missing % rate.per_second * second + rate.per_second - 1) / rate.per_second;
        return refilled_ + Duration{static_cast<std::int64_t>(whole * second + part)};
    }

private:
    void refill(Instant now, TokenRate rate) {
        if (rate.per_second == 0 || now <= refilled_) return;
        constexpr std::uint64_t second = 1'000'000'000;
        const auto pause = static_cast<std::uint64_t>((now - refilled_).count());
        const std::uint64_t whole = pause / second;
        if (whole > rate.burst / rate.per_second) {
            tokens_ = rate.burst;
            refilled_ = now;
            return;
        }
        const std::uint64_t part = pause % second * rate.per_second / second;
        tokens_ = std::min(rate.burst, tokens_ + whole * rate.per_second + part);
        // Only the time that the whole tokens stand for is used up.
        const std::uint64_t used = whole * second + part * second / rate.per_second;
        refilled_ += Duration{static_cast<std::int64_t>(used)};
    }

    std::uint64_t tokens_;
    Instant refilled_;
};

}  // namespace stile::turn
