// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "standstill.hpp"

namespace stile::relay {
namespace {

// A message that is forwarded, and its answer: a loop asks no socket while tasks post tasks.
constexpr int rounds_of_mail = 2;

}  // namespace

Standstill::Standstill(std::size_t shards)
    : together_(static_cast<std::ptrdiff_t>(shards)),
      copied_(shards),
      decided_(decision_.get_future()),
      done_(shards) {}

std::shared_ptr<Standstill> Standstill::begin(const std::vector<Shard*>& shards) {
    std::shared_ptr<Standstill> all{new Standstill(shards.size())};
    for (std::size_t i = 0; i < shards.size(); ++i) {
        shards[i]->post([all, &shard = *shards[i], i] { all->step(shard, i, 0); });
    }
    return all;
}

void Standstill::step(Shard& shard, std::size_t index, int round) {
    together_.arrive_and_wait();
    if (round < rounds_of_mail) {
        return shard.post([all = shared_from_this(), &shard, index, round] {
            all->step(shard, index, round + 1);
        });
    }
    copied_[index].set_value(shard.copy());
    if (decided_.get() == Goes::Away) shard.leave();
    done_[index].set_value();
}

std::vector<HandedShard> Standstill::copies() {
    std::vector<HandedShard> copies;
    for (auto& copied : copied_) copies.push_back(copied.get_future().get());
    return copies;
}

void Standstill::end(Goes how) {
    decision_.set_value(how);
    for (auto& done : done_) done.get_future().get();
}

}  // namespace stile::relay
