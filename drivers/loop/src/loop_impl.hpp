// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <set>
#include <utility>
#include <vector>

namespace stile::drivers {

namespace asio = boost::asio;

struct Timer::State {
    explicit State(Task callback) : on_expired(std::move(callback)) {}

    Task on_expired;
    std::optional<Instant> deadline;  // what the owner wants
    std::optional<Instant> queued;    // where the queue has it: never later than the deadline
};

struct Loop::Impl {
    using QueueEntry = std::pair<Instant, std::shared_ptr<Timer::State>>;

    Impl();

    void wake();  // every handler's first act: reads the clock
    void enqueue(const std::shared_ptr<Timer::State>& timer, Instant when);
    void dequeue(const std::shared_ptr<Timer::State>& timer);
    void arm_system_timer();
    void expire();

    std::set<QueueEntry> queue;
    std::vector<std::shared_ptr<Timer::State>> expired;  // kept for its capacity
    Instant now;
    // Last, so that tasks it still holds can let go of their timers when it ends. One thread
    // runs it; post() may still come from others.
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    asio::steady_timer system_timer{context};
    std::optional<Instant> system_deadline;
};

}  // namespace stile::drivers
