// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>

#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace stile::drivers {

struct Timer::State {
    explicit State(Task callback) : on_expired(std::move(callback)) {}

    Task on_expired;
    std::optional<Instant> deadline;  // what the owner wants
    std::optional<Instant> queued;    // where the queue has it: never later than the deadline
};

// Whoever watches descriptors through the loop's epoll instance.
class Readiness {
public:
    // `events` as epoll_wait gives them. May remove any source, this one included.
    virtual void ready(std::uint32_t key, std::uint32_t events) = 0;
    // After the events and tasks of one wake-up; for sources that were added with Rounds::Wanted.
    virtual void round() {}

protected:
    ~Readiness() = default;
};

struct Loop::Impl {
    using QueueEntry = std::pair<Instant, std::shared_ptr<Timer::State>>;

    Impl();
    ~Impl();

    void wake();  // reads the clock
    void enqueue(const std::shared_ptr<Timer::State>& timer, Instant when);
    void dequeue(const std::shared_ptr<Timer::State>& timer);
    void arm_system_timer();
    void expire();

    // A number for the events of a source; never that of another while events are on their way.
    enum class Rounds : std::uint8_t { NotWanted, Wanted };
    std::uint32_t add_source(Readiness& source, Rounds rounds);
    void remove_source(std::uint32_t source);
    // As epoll_ctl with EPOLL_CTL_ADD or EPOLL_CTL_MOD; level triggered.
    bool set_interest(int operation, int fd, std::uint32_t events, std::uint32_t source,
                      std::uint32_t key);
    void remove_interest(int fd);

    void post(Task task);
    void stop();
    // Waits, then does what there is to do. One: a single event or task.
    enum class Pace : std::uint8_t { One, All };
    void turn(int most_milliseconds, Pace pace);
    void run_tasks(Pace pace);
    void take_pause();

    std::set<QueueEntry> queue;
    std::vector<std::shared_ptr<Timer::State>> expired;  // kept for its capacity
    Instant now;
    Duration pause = Duration::zero();  // before the next wait
    std::optional<Instant> system_deadline;

    FileDescriptor epoll;
    FileDescriptor timer;  // timerfd, armed for the first deadline of the queue
    FileDescriptor alarm;  // eventfd: other threads have posted or stopped
    struct Source {
        Readiness* readiness = nullptr;
        std::uint32_t generation = 0;
    };
    std::vector<Source> sources;
    std::vector<std::uint32_t> free_sources;
    std::vector<Readiness*> round_sources;

    std::atomic<bool> stopped = false;
    std::atomic<bool> has_tasks = false;
    std::mutex task_mutex;
    std::deque<Task> tasks;
};

}  // namespace stile::drivers
