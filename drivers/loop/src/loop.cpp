// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "loop_impl.hpp"

#include <stile/base/assert.hpp>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <chrono>

namespace stile::drivers {
namespace {

constexpr int most_events_a_turn = 64;
// Tasks that post tasks without end do not keep sockets waiting.
constexpr int most_task_rounds = 16;

// What an event belongs to: a source's number and generation, and the source's own key.
constexpr unsigned index_bits = 20;
constexpr unsigned generation_bits = 12;
constexpr std::uint32_t index_mask = (1U << index_bits) - 1U;
constexpr std::uint32_t generation_mask = (1U << generation_bits) - 1U;

constexpr std::uint32_t alarm_source = index_mask;
constexpr std::uint32_t timer_source = index_mask - 1U;
constexpr std::uint32_t most_sources = index_mask - 1U;

// The loop that runs on this thread.
thread_local const void* running = nullptr;

Instant read_system_clock() {
    // libstdc++'s steady_clock is CLOCK_MONOTONIC, and so is the timer.
    return Instant{std::chrono::steady_clock::now().time_since_epoch()};
}

int milliseconds_until(Instant deadline, Instant now) {
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    return static_cast<int>(std::clamp<std::int64_t>(whole.count(), 0, 60'000));
}

void clear(const FileDescriptor& counter) {
    std::uint64_t count = 0;
    (void)!::read(counter.get(), &count, sizeof count);
}

struct Running {
    explicit Running(const void* loop) : before(std::exchange(running, loop)) {}
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { running = before; }
    const void* before;
};

}  // namespace

Loop::Impl::Impl()
    : now(read_system_clock()),
      epoll(::epoll_create1(EPOLL_CLOEXEC)),
      timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      alarm(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    STILE_ASSERT(epoll.valid() && timer.valid() && alarm.valid());
    set_interest(EPOLL_CTL_ADD, timer.get(), EPOLLIN, timer_source, 0);
    set_interest(EPOLL_CTL_ADD, alarm.get(), EPOLLIN, alarm_source, 0);
}

// What tasks hold lets go of its timers and watches, and may post, as ever.
Loop::Impl::~Impl() {
    while (!tasks.empty()) {
        const Task task = std::move(tasks.front());
        tasks.pop_front();
    }
}

void Loop::Impl::wake() { now = read_system_clock(); }

void Loop::Impl::enqueue(const std::shared_ptr<Timer::State>& state, Instant when) {
    state->queued = when;
    queue.emplace(when, state);
}

void Loop::Impl::dequeue(const std::shared_ptr<Timer::State>& state) {
    if (!state->queued) return;
    queue.erase(QueueEntry{*state->queued, state});
    state->queued.reset();
}

void Loop::Impl::arm_system_timer() {
    if (queue.empty()) return;  // at worst one wake-up for nothing
    const Instant first = queue.begin()->first;
    if (system_deadline && *system_deadline <= first) return;
    system_deadline = first;
    // Zero would disarm it; what is past expires at once.
    const auto since_boot = std::max(first.time_since_epoch(), Duration{1});
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    itimerspec when{};
    when.it_value.tv_sec = seconds.count();
    when.it_value.tv_nsec = (since_boot - seconds).count();
    ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Loop::Impl::expire() {
    auto due = std::exchange(expired, {});
    while (!queue.empty() && queue.begin()->first <= now) {
        auto entry = queue.extract(queue.begin());
        due.push_back(std::move(entry.value().second));
        due.back()->queued.reset();
    }
    for (const auto& state : due) {
        // An earlier callback may have moved or disarmed it.
        if (!state->deadline || state->queued) continue;
        if (*state->deadline > now) {
            enqueue(state, *state->deadline);
            continue;
        }
        state->deadline.reset();
        state->on_expired();
    }
    due.clear();
    expired = std::move(due);
}

std::uint32_t Loop::Impl::add_source(Readiness& source, Rounds rounds) {
    if (free_sources.empty()) {
        STILE_ASSERT(sources.size() < most_sources);
        free_sources.push_back(static_cast<std::uint32_t>(sources.size()));
        sources.emplace_back();
    }
    const std::uint32_t index = free_sources.back();
    free_sources.pop_back();
    sources[index].readiness = &source;
    if (rounds == Rounds::Wanted) round_sources.push_back(&source);
    return index;
}

void Loop::Impl::remove_source(std::uint32_t index) {
    Source& source = sources[index];
    std::erase(round_sources, source.readiness);
    source.readiness = nullptr;
    source.generation = (source.generation + 1U) & generation_mask;
    free_sources.push_back(index);
}

bool Loop::Impl::set_interest(int operation, int fd, std::uint32_t events, std::uint32_t source,
                              std::uint32_t key) {
    const std::uint32_t generation = source < sources.size() ? sources[source].generation : 0;
    epoll_event event{};
    event.events = events;
    event.data.u64 = std::uint64_t{generation << index_bits | source} << 32U | std::uint64_t{key};
    return ::epoll_ctl(epoll.get(), operation, fd, &event) == 0;
}

void Loop::Impl::remove_interest(int fd) { ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Loop::Impl::post(Task task) {
    {
        const std::lock_guard lock{task_mutex};
        tasks.push_back(std::move(task));
        has_tasks.store(true, std::memory_order_release);
    }
    // The loop's own thread looks before it waits.
    if (running != this) (void)!::eventfd_write(alarm.get(), 1);
}

void Loop::Impl::stop() {
    stopped.store(true, std::memory_order_release);
    if (running != this) (void)!::eventfd_write(alarm.get(), 1);
}

void Loop::Impl::turn(int most_milliseconds, Pace pace) {
    // What a task has posted comes before what a socket has to say: whoever opens a connection and
    // posts the rest of its set-up must not hear of the connection first.
    for (int i = 0; i < most_task_rounds && has_tasks.load(std::memory_order_acquire); ++i) {
        run_tasks(pace);
        if (pace == Pace::One || stopped.load(std::memory_order_relaxed)) return;
    }
    if (pause != Duration::zero() && pace == Pace::All) take_pause();
    const int timeout = has_tasks.load(std::memory_order_acquire) ? 0 : most_milliseconds;
    std::array<epoll_event, most_events_a_turn> events;
    const int count = ::epoll_wait(epoll.get(), events.data(),
                                   pace == Pace::One ? 1 : most_events_a_turn, timeout);
    wake();
    for (int i = 0; i < count && !stopped.load(std::memory_order_relaxed); ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const auto source = static_cast<std::uint32_t>(event.data.u64 >> 32U);
        const std::uint32_t index = source & index_mask;
        if (index == alarm_source) {
            clear(alarm);
        } else if (index == timer_source) {
            clear(timer);
            system_deadline.reset();
            expire();
            arm_system_timer();
        } else if (sources[index].readiness != nullptr &&
                   sources[index].generation == source >> index_bits) {
            sources[index].readiness->ready(static_cast<std::uint32_t>(event.data.u64),
                                            event.events);
        }
    }
    if (has_tasks.load(std::memory_order_acquire)) run_tasks(pace);
    for (std::size_t i = 0; i < round_sources.size(); ++i) round_sources[i]->round();
}

void Loop::Impl::take_pause() {
    const timespec length{.tv_sec = 0, .tv_nsec = std::exchange(pause, Duration::zero()).count()};
    ::nanosleep(&length, nullptr);  // a signal ends it early, which does no harm
}

void Loop::Impl::run_tasks(Pace pace) {
    // Those that come meanwhile wait for the next turn.
    std::size_t left = 0;
    {
        const std::lock_guard lock{task_mutex};
        left = pace == Pace::One ? 1 : tasks.size();
    }
    for (; left > 0 && !stopped.load(std::memory_order_relaxed); --left) {
        Task task;
        {
            const std::lock_guard lock{task_mutex};
            if (tasks.empty()) return;
            task = std::move(tasks.front());
            tasks.pop_front();
            has_tasks.store(!tasks.empty(), std::memory_order_release);
        }
        task();
    }
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
    const Running here{impl_.get()};
    impl_->stopped = false;
    impl_->wake();
    while (!impl_->stopped.load(std::memory_order_acquire)) impl_->turn(-1, Impl::Pace::All);
}

Loop::Outcome Loop::run_until(std::move_only_function<bool()> done, Duration at_most) {
    const Running here{impl_.get()};
    impl_->stopped = false;
    impl_->wake();
    const Instant deadline = read_system_clock() + at_most;
    while (!done()) {
        const Instant now = read_system_clock();
        if (now >= deadline) return Outcome::DeadlinePassed;
        impl_->turn(milliseconds_until(deadline, now), Impl::Pace::One);
        if (impl_->stopped) return done() ? Outcome::Done : Outcome::Stopped;
    }
    return Outcome::Done;
}

void Loop::stop() { impl_->stop(); }
void Loop::post(Task task) { impl_->post(std::move(task)); }
Instant Loop::now() const { return impl_->now; }
void Loop::read_clock() { impl_->wake(); }
void Loop::pause_once(Duration length) {
    STILE_ASSERT(length >= Duration::zero() && length < std::chrono::seconds{1});
    impl_->pause = length;
}

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
