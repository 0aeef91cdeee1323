// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "loop_impl.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <chrono>

namespace stile::drivers {
namespace {

Instant read_system_clock() {
    // libstdc++'s steady_clock is CLOCK_MONOTONIC, and so is Asio's timer.
    return Instant{std::chrono::steady_clock::now().time_since_epoch()};
}

std::chrono::steady_clock::time_point to_system(Instant instant) {
    return std::chrono::steady_clock::time_point{instant.time_since_epoch()};
}

}  // namespace

Loop::Impl::Impl() : now(read_system_clock()) {}

void Loop::Impl::wake() { now = read_system_clock(); }

void Loop::Impl::enqueue(const std::shared_ptr<Timer::State>& timer, Instant when) {
    timer->queued = when;
    queue.emplace(when, timer);
}

void Loop::Impl::dequeue(const std::shared_ptr<Timer::State>& timer) {
    if (!timer->queued) return;
    queue.erase(QueueEntry{*timer->queued, timer});
    timer->queued.reset();
}

void Loop::Impl::arm_system_timer() {
    if (queue.empty()) return;  // at worst one wake-up for nothing
    const Instant first = queue.begin()->first;
    if (system_deadline && *system_deadline <= first) return;
    system_deadline = first;
    system_timer.expires_at(to_system(first));
    system_timer.async_wait([this](const boost::system::error_code& failed) {
        if (failed) return;  // replaced by an earlier one
        wake();
        system_deadline.reset();
        expire();
        arm_system_timer();
    });
}

void Loop::Impl::expire() {
    auto due = std::exchange(expired, {});
    while (!queue.empty() && queue.begin()->first <= now) {
        auto entry = queue.extract(queue.begin());
        due.push_back(std::move(entry.value().second));
        due.back()->queued.reset();
    }
    for (const auto& timer : due) {
        // An earlier callback may have moved or disarmed it.
        if (!timer->deadline || timer->queued) continue;
        if (*timer->deadline > now) {
            enqueue(timer, *timer->deadline);
            continue;
        }
        timer->deadline.reset();
        timer->on_expired();
    }
    due.clear();
    expired = std::move(due);
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
    impl_->context.restart();
    impl_->wake();
    impl_->context.run();
}

Loop::Outcome Loop::run_until(std::move_only_function<bool()> done, Duration at_most) {
    impl_->context.restart();
    impl_->wake();
    const Instant deadline = read_system_clock() + at_most;
    while (!done()) {
        if (read_system_clock() >= deadline) return Outcome::DeadlinePassed;
        impl_->context.run_one_until(to_system(deadline));
        if (impl_->context.stopped()) return done() ? Outcome::Done : Outcome::Stopped;
    }
    return Outcome::Done;
}

void Loop::stop() { impl_->context.stop(); }

void Loop::post(Task task) {
    asio::post(impl_->context, [impl = impl_.get(), task = std::move(task)]() mutable {
        impl->wake();
        task();
    });
}

Instant Loop::now() const { return impl_->now; }

void Loop::read_clock() { impl_->wake(); }

WallTime Loop::wall_now() const {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Timer::Timer(Loop& loop, Task on_expired)
    : loop_(loop), state_(std::make_shared<State>(std::move(on_expired))) {}

Timer::~Timer() {
    state_->deadline.reset();
    loop_.impl_->dequeue(state_);
}

void Timer::arm(std::optional<Instant> deadline) {
    state_->deadline = deadline;
    // A place in the queue that is too early is left: expire() then moves it on.
    if (!deadline || (state_->queued && *state_->queued <= *deadline)) return;
    Loop::Impl& loop = *loop_.impl_;
    loop.dequeue(state_);
    loop.enqueue(state_, *deadline);
    loop.arm_system_timer();
}

void Timer::arm_after(Duration delay) { arm(loop_.now() + delay); }

std::optional<Instant> Timer::deadline() const { return state_->deadline; }

}  // namespace stile::drivers
