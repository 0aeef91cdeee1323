// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/machine.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace stile {

// One optional deadline per kind of timer. Kind is an enum class whose last value is `count`.
template <class Kind>
class TimerTable {
public:
    void set(Kind kind, Instant when) { at(kind) = when; }
    void clear(Kind kind) { at(kind).reset(); }
    void clear() { deadlines_.fill(std::nullopt); }
    std::optional<Instant> get(Kind kind) const { return deadlines_[std::to_underlying(kind)]; }

    // True once per set(): the timer is cleared when it has expired.
    bool take_expired(Kind kind, Instant now) {
        if (!at(kind) || now < *at(kind)) return false;
        clear(kind);
        return true;
    }

    std::optional<Instant> next() const {
        std::optional<Instant> soonest;
        for (const auto& deadline : deadlines_) soonest = earlier(soonest, deadline);
        return soonest;
    }

private:
    std::optional<Instant>& at(Kind kind) { return deadlines_[std::to_underlying(kind)]; }

    std::array<std::optional<Instant>, std::to_underlying(Kind::count)> deadlines_{};
};

}  // namespace stile
