// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace stile::drivers {

using Task = std::move_only_function<void()>;

// The event loop of one thread. Everything that is built on it (timers, watches, sockets) belongs
// to that thread and must be gone before the loop is; only post() and stop() may be called from
// another. Nothing that runs on it may block or throw.
//
// Each turn does, in this order:
//
//  1. the tasks that were posted, first come first served, and those that these post, too, so that
//     what is set up in several tasks is whole before any socket is asked for news of it (sixteen
//     rounds at most: tasks that post tasks for ever keep no socket waiting);
//  2. waits, unless a task is left; then reads the clock;
//  3. calls whoever is ready, watches and the timers that are due as one of them: the timers in the
//     order of their deadlines, the others in no promised order, each at most once. What one of
//     them destroys or stops wanting hears nothing of this turn any more;
//  4. the tasks that were posted until now, not those that these post;
//  5. rounds of watch groups.
//
// run_until() asks its condition after each single task or callback instead.
class Loop {
public:
    Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    // Runs until stop(). May be called again afterwards.
    void run();
    // Runs until `done` is true, which is asked after each wake-up. For programs of one task, and
    // for tests.
    enum class Outcome : std::uint8_t { Done, DeadlinePassed, Stopped };
    Outcome run_until(std::move_only_function<bool()> done, Duration at_most);

    // From any thread. Ends the run that is under way, when the callback that runs has returned: a
    // stop before run() is forgotten, so who stops another thread's loop posts a task that does.
    void stop();
    // From any thread; never runs within this call. Tasks that a loop has not come to go with it.
    void post(Task task);

    // CLOCK_MONOTONIC as it was when the loop last woke: the same for all that one wake-up does.
    Instant now() const;
    // Lets now() be this moment, for who handles batch after batch in one wake-up.
    void read_clock();
    // Before it next waits for events, the loop sleeps for so long, whatever comes: for who knows
    // that more at once is cheaper. At most a few hundred microseconds: timers are late by it.
    void pause_once(Duration length);
    // The system's clock, read at each call.
    WallTime wall_now() const;

private:
    friend class Timer;
    friend class Watch;
    friend class WatchGroup;
    friend class Signals;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Calls back once when its deadline has passed. Moving the deadline later costs nothing but a
// store, so it may be armed after every packet. It may be destroyed in its own callback.
class Timer {
public:
    Timer(Loop& loop, Task on_expired);
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer();

    // Replaces the deadline. Empty disarms; a deadline in the past expires at the next wake-up.
    void arm(std::optional<Instant> deadline);
    void arm_after(Duration delay);
    void disarm() { arm(std::nullopt); }
    std::optional<Instant> deadline() const;

    struct State;

private:
    Loop& loop_;
    std::shared_ptr<State> state_;
};

// Waits for a file descriptor to become readable or writable. Does not own or close it. As long as
// a direction is wanted and ready its callback runs at each wake-up. It may be destroyed in its own
// callbacks, and must be before the descriptor is closed.
class Watch {
public:
    Watch(Loop& loop, int fd, Task on_readable, Task on_writable = {});
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    enum class Wanted : std::uint8_t { No, Yes };
    void want_readable(Wanted wanted);
    void want_writable(Wanted wanted);

private:
    struct State;
    std::shared_ptr<State> state_;
};

// Calls back with the number of each of the given signals (SIGINT, SIGTERM, SIGHUP ...) instead of
// the system's default action.
class Signals {
public:
    Signals(Loop& loop, std::initializer_list<int> numbers,
            std::move_only_function<void(int)> on_signal);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace stile::drivers
