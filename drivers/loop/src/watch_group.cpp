// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/watch_group.hpp>

#include "loop_impl.hpp"

#include <sys/epoll.h>

namespace stile::drivers {

struct WatchGroup::State final : Readiness {
    State(Loop::Impl& owner, OnReady ready_callback, Task round_callback)
        : loop(owner),
          on_ready(std::move(ready_callback)),
          on_round(std::move(round_callback)),
          source(owner.add_source(
              *this, on_round ? Loop::Impl::Rounds::Wanted : Loop::Impl::Rounds::NotWanted)) {}

    void ready(std::uint32_t key, std::uint32_t events) override {
        on_ready({.key = key,
                  .error = (events & EPOLLERR) != 0 ? Ready::Error::Yes : Ready::Error::No,
                  .readable = (events & (EPOLLIN | EPOLLHUP)) != 0});
    }
    void round() override { on_round(); }

    Loop::Impl& loop;
    OnReady on_ready;
    Task on_round;
    const std::uint32_t source;
};

WatchGroup::WatchGroup(Loop& loop, OnReady on_ready, Task on_round)
    : state_(std::make_unique<State>(*loop.impl_, std::move(on_ready), std::move(on_round))) {}

WatchGroup::~WatchGroup() { state_->loop.remove_source(state_->source); }

void WatchGroup::add(int fd, std::uint32_t key) {
    state_->loop.set_interest(EPOLL_CTL_ADD, fd, EPOLLIN, state_->source, key);
}

void WatchGroup::remove(int fd) { state_->loop.remove_interest(fd); }

}  // namespace stile::drivers
