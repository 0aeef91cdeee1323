// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "loop_impl.hpp"

#include <boost/asio/signal_set.hpp>

namespace stile::drivers {

struct Signals::State : std::enable_shared_from_this<Signals::State> {
    State(Loop::Impl& owner, std::move_only_function<void(int)> callback)
        : loop(owner), set(owner.context), on_signal(std::move(callback)) {}

    void wait() {
        set.async_wait(
            [self = shared_from_this()](const boost::system::error_code& failed, int number) {
                if (failed || self->dead) return;
                self->loop.wake();
                self->on_signal(number);
                if (!self->dead) self->wait();
            });
    }

    Loop::Impl& loop;
    asio::signal_set set;
    std::move_only_function<void(int)> on_signal;
    bool dead = false;
};

Signals::Signals(Loop& loop, std::initializer_list<int> numbers,
                 std::move_only_function<void(int)> on_signal)
    : state_(std::make_shared<State>(*loop.impl_, std::move(on_signal))) {
    for (const int number : numbers) state_->set.add(number);
    state_->wait();
}

Signals::~Signals() {
    state_->dead = true;
    state_->set.cancel();
}

}  // namespace stile::drivers
