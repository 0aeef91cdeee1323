// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <concepts>
#include <optional>

namespace stile {

// The shape every core has. The simulator and every driver are written against this.
template <class M>
concept Machine = requires(M machine, const M& seen, Instant now) {
    { machine.handle_timeout(now) } -> std::same_as<void>;
    { machine.poll_transmit().has_value() } -> std::same_as<bool>;
    { machine.poll_event().has_value() } -> std::same_as<bool>;
    { seen.poll_timeout() } -> std::same_as<std::optional<Instant>>;
};

// The earlier of two deadlines, either of which may be absent.
inline std::optional<Instant> earlier(std::optional<Instant> left, std::optional<Instant> right) {
    if (!left) return right;
    if (!right) return left;
    return *left < *right ? left : right;
}

}  // namespace stile
