// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>

#include <cstddef>

namespace stile::drivers {

// Jobs that wait at most: a store that is slower than its callers is noticed, not buffered for
// ever.
inline constexpr std::size_t most_waiting_jobs = 16384;

enum class Submitted : std::uint8_t { Queued, Full };

// One thread for work that blocks: SQLite, password hashes, files. Jobs run in their order.
class Worker {
public:
    explicit Worker(Loop& loop);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    // Runs the jobs that are queued already and waits for them; their completions are dropped.
    ~Worker();

    // Runs `work` on the thread and then `done` on the loop. `work` must not throw and must
    // touch nothing that belongs to the loop. With Full neither will run.
    [[nodiscard]] Submitted submit(Task work, Task done);

    // The same with a result: `work` returns it, `done` takes it.
    template <class Work, class Done>
    [[nodiscard]] Submitted compute(Work work, Done done) {
        using Result = std::invoke_result_t<Work>;
        auto result = std::make_shared<std::optional<Result>>();
        return submit([result, work = std::move(work)]() mutable { result->emplace(work()); },
                      [result, done = std::move(done)]() mutable { done(*std::move(*result)); });
    }

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stile::drivers
