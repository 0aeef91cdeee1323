// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "loop_impl.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

namespace stile::drivers {

struct Watch::State : std::enable_shared_from_this<Watch::State> {
    struct Direction {
        Task callback;
        Wanted wanted = Wanted::No;
        bool waiting = false;  // the reactor has been asked
    };
    using WaitType = asio::posix::stream_descriptor::wait_type;

    State(Loop::Impl& owner, int fd, Task on_readable, Task on_writable)
        : loop(owner), descriptor(owner.context, fd) {
        readable.callback = std::move(on_readable);
        writable.callback = std::move(on_writable);
    }

    void want(Direction& direction, WaitType type, Wanted wanted) {
        direction.wanted = wanted;
        if (wanted == Wanted::Yes && !direction.waiting) wait(direction, type);
    }

    void wait(Direction& direction, WaitType type) {
        direction.waiting = true;
        descriptor.async_wait(type, [self = shared_from_this(), &direction,
                                     type](const boost::system::error_code& failed) {
            direction.waiting = false;
            if (failed || self->dead) return;
            if (direction.wanted == Wanted::No) return;
            self->loop.wake();
            direction.callback();
            if (!self->dead && direction.wanted == Wanted::Yes && !direction.waiting) {
                self->wait(direction, type);
            }
        });
    }

    Loop::Impl& loop;
    asio::posix::stream_descriptor descriptor;
    Direction readable;
    Direction writable;
    bool dead = false;
};

Watch::Watch(Loop& loop, int fd, Task on_readable, Task on_writable)
    : state_(std::make_shared<State>(*loop.impl_, fd, std::move(on_readable),
                                     std::move(on_writable))) {}

Watch::~Watch() {
    state_->dead = true;
    state_->descriptor.release();  // cancels the waits; the descriptor stays its owner's
}

void Watch::want_readable(Wanted wanted) {
    state_->want(state_->readable, State::WaitType::wait_read, wanted);
}

void Watch::want_writable(Wanted wanted) {
    state_->want(state_->writable, State::WaitType::wait_write, wanted);
}

}  // namespace stile::drivers
