// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "loop_impl.hpp"

#include <sys/epoll.h>

namespace stile::drivers {

struct Watch::State final : Readiness, std::enable_shared_from_this<Watch::State> {
    struct Direction {
        Task callback;
        Wanted wanted = Wanted::No;
    };

    State(Loop::Impl& owner, int watched, Task on_readable, Task on_writable)
        : loop(owner), fd(watched), source(owner.add_source(*this, Loop::Impl::Rounds::NotWanted)) {
        readable.callback = std::move(on_readable);
        writable.callback = std::move(on_writable);
    }

    void want(Direction& direction, Wanted wanted) {
        if (direction.wanted == wanted) return;
        direction.wanted = wanted;
        update();
    }

    // Without interest it is taken out: an error would be reported without end otherwise.
    void update() {
        const std::uint32_t wanted = (readable.wanted == Wanted::Yes ? EPOLLIN | EPOLLRDHUP : 0U) |
                                     (writable.wanted == Wanted::Yes ? EPOLLOUT : 0U);
        if (wanted == interest) return;
        if (wanted == 0) {
            loop.remove_interest(fd);
        } else if (!loop.set_interest(interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, wanted,
                                      source, 0)) {
            return;  // no room in the system: the next change tries again
        }
        interest = wanted;
    }

    void ready(std::uint32_t, std::uint32_t events) override {
        const auto self = shared_from_this();
        // An error or a hang-up is found by whoever tries.
        const std::uint32_t both = EPOLLERR | EPOLLHUP;
        if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | both)) != 0) call(readable);
        if ((events & (EPOLLOUT | both)) != 0) call(writable);
    }

    void call(Direction& direction) {
        if (!dead && direction.wanted == Wanted::Yes) direction.callback();
    }

    Loop::Impl& loop;
    const int fd;
    const std::uint32_t source;
    std::uint32_t interest = 0;
    Direction readable;
    Direction writable;
    bool dead = false;
};

Watch::Watch(Loop& loop, int fd, Task on_readable, Task on_writable)
    : state_(std::make_shared<State>(*loop.impl_, fd, std::move(on_readable),
                                     std::move(on_writable))) {}

Watch::~Watch() {
    state_->dead = true;
    if (state_->interest != 0) state_->loop.remove_interest(state_->fd);
    state_->loop.remove_source(state_->source);
}

void Watch::want_readable(Wanted wanted) { state_->want(state_->readable, wanted); }
void Watch::want_writable(Wanted wanted) { state_->want(state_->writable, wanted); }

}  // namespace stile::drivers
