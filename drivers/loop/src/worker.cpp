// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/worker.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace stile::drivers {

struct Worker::Impl {
    struct Job {
        Task work;
        Task done;
    };

    explicit Impl(Loop& owner) : loop(owner), thread([this] { run(); }) {}

    ~Impl() {
        {
            const std::lock_guard lock{mutex};
            stopping = true;
        }
        wake.notify_one();
        thread.join();
    }

    void run() {
        std::unique_lock lock{mutex};
        for (;;) {
            wake.wait(lock, [this] { return stopping || !jobs.empty(); });
            if (jobs.empty()) return;
            Job job = std::move(jobs.front());
            jobs.pop_front();
            lock.unlock();
            job.work();
            // Tasks die on the loop's thread, where what they hold belongs.
            loop.post([alive = std::weak_ptr{alive}, job = std::move(job)]() mutable {
                if (alive.lock()) job.done();
            });
            lock.lock();
        }
    }

    Loop& loop;
    std::shared_ptr<int> alive = std::make_shared<int>(0);
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;
    bool stopping = false;
    std::thread thread;  // last: it uses the others
};

Worker::Worker(Loop& loop) : impl_(std::make_unique<Impl>(loop)) {}
Worker::~Worker() = default;

Submitted Worker::submit(Task work, Task done) {
    {
        const std::lock_guard lock{impl_->mutex};
        if (impl_->jobs.size() >= most_waiting_jobs) return Submitted::Full;
        impl_->jobs.push_back({std::move(work), std::move(done)});
    }
    impl_->wake.notify_one();
    return Submitted::Queued;
}

}  // namespace stile::drivers
