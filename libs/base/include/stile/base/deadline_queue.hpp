// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <optional>
#include <set>
#include <utility>

namespace stile {

// Which of many entries wakes next. An entry keeps its own queued deadline and hands it in, so that
// the queue needs no second table. Moving a deadline and asking cost O(log n) and O(1).
template <class Key>
class DeadlineQueue {
public:
    // Makes `wanted` the entry's deadline. Requires: `queued` is what the last update for this key
    // left there, empty at first.
    void update(const Key& key, std::optional<Instant>& queued, std::optional<Instant> wanted) {
        if (queued == wanted) return;
        if (queued) entries_.erase({*queued, key});
        if (wanted) entries_.emplace(*wanted, key);
        queued = wanted;
    }

    // The soonest entry whose deadline has come. It stays until update() moves it.
    std::optional<Key> expired(Instant now) const {
        if (entries_.empty() || entries_.begin()->first > now) return std::nullopt;
        return entries_.begin()->second;
    }

    std::optional<Instant> next() const {
        if (entries_.empty()) return std::nullopt;
        return entries_.begin()->first;
    }

    std::size_t size() const { return entries_.size(); }

private:
    std::set<std::pair<Instant, Key>> entries_;
};

}  // namespace stile
