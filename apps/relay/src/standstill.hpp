// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shard.hpp"

#include <barrier>
#include <cstddef>
#include <future>
#include <memory>
#include <vector>

namespace stile::relay {

// All shards of a relay stand still, each in a task of its own, from when their copies are made
// until it is said how they go on: so there is nothing to undo where they stay. What they had on
// its way to each other arrives first.
class Standstill : public std::enable_shared_from_this<Standstill> {
public:
    // Requires: the shards run, and do so at least until end().
    static std::shared_ptr<Standstill> begin(const std::vector<Shard*>& shards);
    Standstill(const Standstill&) = delete;
    Standstill& operator=(const Standstill&) = delete;

    // Once.
    std::vector<HandedShard> copies();
    enum class Goes : std::uint8_t { On, Away };
    // Once, after copies(): returns when all shards have done it.
    void end(Goes how);

private:
    explicit Standstill(std::size_t shards);
    void step(Shard& shard, std::size_t index, int round);

    std::barrier<> together_;
    std::vector<std::promise<HandedShard>> copied_;
    std::promise<Goes> decision_;
    std::shared_future<Goes> decided_;
    std::vector<std::promise<void>> done_;
};

}  // namespace stile::relay
