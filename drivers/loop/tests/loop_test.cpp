// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/bytes.hpp>
#include <stile/drivers/drive.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/random.hpp>
#include <stile/drivers/watch_group.hpp>
#include <stile/drivers/worker.hpp>

#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

TEST_CASE("loop: runs what other threads post, and stops") {
    Loop loop;
    int count = 0;
    std::thread poster{[&] {
        for (int i = 0; i < 100; ++i) loop.post([&] { ++count; });
        loop.post([&] { loop.stop(); });
    }};
    loop.run();
    poster.join();
    CHECK(count == 100);
}

TEST_CASE("loop: can run again after it was stopped") {
    Loop loop;
    for (int i = 0; i < 2; ++i) {
        loop.post([&] { loop.stop(); });
        loop.run();
    }
    CHECK(loop.run_until([] { return false; }, 1ms) == Loop::Outcome::DeadlinePassed);
}

TEST_CASE("loop: now stands still within one wake-up and does not go backwards") {
    Loop loop;
    const Instant before = loop.now();
    bool done = false;
    loop.post([&] {
        const Instant entered = loop.now();
        std::thread{[] {}}.join();
        CHECK(loop.now() == entered);
        CHECK(entered >= before);
        done = true;
    });
    CHECK(loop.run_until([&] { return done; }, 5s) == Loop::Outcome::Done);
}

TEST_CASE("timer: expires at its deadline, in the order of deadlines") {
    Loop loop;
    std::vector<int> order;
    Timer third{loop, [&] { order.push_back(3); }};
    Timer first{loop, [&] { order.push_back(1); }};
    Timer second{loop, [&] { order.push_back(2); }};
    const Instant start = loop.now();
    third.arm(start + 6ms);
    first.arm(start + 2ms);
    second.arm(start + 4ms);
    CHECK(loop.run_until([&] { return order.size() == 3; }, 5s) == Loop::Outcome::Done);
    CHECK(order == std::vector{1, 2, 3});
    CHECK(loop.now() >= start + 6ms);
    CHECK_FALSE(first.deadline());
}

TEST_CASE("timer: moved later it does not expire at the old deadline") {
    Loop loop;
    bool expired = false;
    Timer timer{loop, [&] { expired = true; }};
    const Instant start = loop.now();
    timer.arm(start + 1ms);
    timer.arm(start + 20ms);
    CHECK(loop.run_until([&] { return expired; }, 5s) == Loop::Outcome::Done);
    CHECK(loop.now() >= start + 20ms);
}

TEST_CASE("timer: moved earlier, disarmed, armed again") {
    Loop loop;
    int expired = 0;
    Timer timer{loop, [&] { ++expired; }};
    timer.arm_after(1h);
    timer.arm_after(1ms);
    CHECK(loop.run_until([&] { return expired == 1; }, 5s) == Loop::Outcome::Done);
    timer.arm_after(1ms);
    timer.disarm();
    CHECK(loop.run_until([&] { return expired == 2; }, 10ms) == Loop::Outcome::DeadlinePassed);
    timer.arm(loop.now() - 1s);
    CHECK(loop.run_until([&] { return expired == 2; }, 5s) == Loop::Outcome::Done);
}

TEST_CASE("timer: may be destroyed in its own callback and in another's of the same wake-up") {
    Loop loop;
    int expired = 0;
    std::unique_ptr<Timer> own;
    std::unique_ptr<Timer> other;
    own = std::make_unique<Timer>(loop, [&] {
        ++expired;
        other.reset();
        own.reset();
    });
    other = std::make_unique<Timer>(loop, [&] { ++expired; });
    own->arm(loop.now() - 2s);
    other->arm(loop.now() - 1s);
    CHECK(loop.run_until([&] { return !own; }, 5s) == Loop::Outcome::Done);
    CHECK(loop.run_until([] { return false; }, 5ms) == Loop::Outcome::DeadlinePassed);
    CHECK(expired == 1);
}

TEST_CASE("timer: one that always re-arms for now does not starve the loop") {
    Loop loop;
    int expired = 0;
    bool posted = false;
    Timer timer{loop, [&] {
                    ++expired;
                    timer.arm(loop.now());
                }};
    timer.arm(loop.now());
    CHECK(loop.run_until([&] { return expired == 10; }, 5s) == Loop::Outcome::Done);
    loop.post([&] { posted = true; });
    CHECK(loop.run_until([&] { return posted; }, 5s) == Loop::Outcome::Done);
}

struct Pair {
    Pair() {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
        left.reset(fds[0]);
        right.reset(fds[1]);
    }
    FileDescriptor left;
    FileDescriptor right;
};

TEST_CASE("watch: calls while there is something to read, not when it is not wanted") {
    Loop loop;
    Pair pair;
    int calls = 0;
    Watch watch{loop, pair.left.get(), [&] { ++calls; }};
    REQUIRE(::write(pair.right.get(), "x", 1) == 1);
    watch.want_readable(Watch::Wanted::Yes);
    // Nothing is read, so the descriptor stays ready and the callback comes again.
    CHECK(loop.run_until([&] { return calls == 3; }, 5s) == Loop::Outcome::Done);
    watch.want_readable(Watch::Wanted::No);
    CHECK(loop.run_until([&] { return calls > 3; }, 10ms) == Loop::Outcome::DeadlinePassed);
}

TEST_CASE("watch: may be destroyed in its own callback; the descriptor stays open") {
    Loop loop;
    Pair pair;
    int calls = 0;
    std::unique_ptr<Watch> watch;
    watch = std::make_unique<Watch>(
        loop, pair.left.get(), [] {},
        [&] {
            ++calls;
            watch.reset();
        });
    watch->want_writable(Watch::Wanted::Yes);
    watch->want_readable(Watch::Wanted::Yes);
    CHECK(loop.run_until([&] { return calls == 1; }, 5s) == Loop::Outcome::Done);
    CHECK(::write(pair.left.get(), "x", 1) == 1);
}

TEST_CASE("watch: a broken connection is told once to who waits, and not at all to who does not") {
    Loop loop;
    Pair pair;
    int reads = 0;
    Watch watch{loop, pair.left.get(), [&] { ++reads; }};
    pair.right.reset();  // hang-up
    CHECK(loop.run_until([&] { return reads > 0; }, 5ms) == Loop::Outcome::DeadlinePassed);
    watch.want_readable(Watch::Wanted::Yes);
    CHECK(loop.run_until([&] { return reads == 1; }, 5s) == Loop::Outcome::Done);
    watch.want_readable(Watch::Wanted::No);
    CHECK(loop.run_until([&] { return reads > 1; }, 5ms) == Loop::Outcome::DeadlinePassed);
}

TEST_CASE("watch: one that goes in another's callback hears nothing of the same wake-up") {
    Loop loop;
    Pair one;
    Pair two;
    int calls = 0;
    std::unique_ptr<Watch> first;
    std::unique_ptr<Watch> second;
    const auto both_go = [&] {
        ++calls;
        first.reset();
        second.reset();
        // Its number is free again, and must not be taken for the old one's.
        Watch third{loop, two.left.get(), [] {}};
        loop.stop();
    };
    first = std::make_unique<Watch>(loop, one.left.get(), both_go);
    second = std::make_unique<Watch>(loop, two.left.get(), both_go);
    first->want_readable(Watch::Wanted::Yes);
    second->want_readable(Watch::Wanted::Yes);
    REQUIRE(::write(one.right.get(), "x", 1) == 1);
    REQUIRE(::write(two.right.get(), "x", 1) == 1);
    loop.run();
    CHECK(calls == 1);
}

TEST_CASE("watch group: names what is readable, and ends each wake-up with a round") {
    Loop loop;
    std::vector<Pair> pairs(10);
    std::vector<std::uint32_t> seen;
    int rounds = 0;
    WatchGroup group{loop,
                     [&](const WatchGroup::Ready& ready) {
                         char octet = 0;
                         REQUIRE(ready.readable);
                         REQUIRE(::read(pairs[ready.key].left.get(), &octet, 1) == 1);
                         seen.push_back(ready.key);
                     },
                     [&] { ++rounds; }};
    for (std::uint32_t i = 0; i < pairs.size(); ++i) group.add(pairs[i].left.get(), i);
    for (const std::uint32_t i : {7U, 3U}) REQUIRE(::write(pairs[i].right.get(), "x", 1) == 1);
    CHECK(loop.run_until([&] { return seen.size() == 2; }, 5s) == Loop::Outcome::Done);
    CHECK(std::set<std::uint32_t>(seen.begin(), seen.end()) == std::set{3U, 7U});
    CHECK(rounds >= 2);
    group.remove(pairs[5].left.get());
    REQUIRE(::write(pairs[5].right.get(), "x", 1) == 1);
    CHECK(loop.run_until([&] { return seen.size() == 3; }, 5ms) == Loop::Outcome::DeadlinePassed);
    for (std::uint32_t i = 0; i < pairs.size(); ++i) {
        if (i != 5) group.remove(pairs[i].left.get());
    }
}

TEST_CASE("loop: what a task posts runs after what is waiting, and stop leaves the rest") {
    Loop loop;
    std::string order;
    loop.post([&] {
        order += 'a';
        loop.post([&] { order += 'd'; });
    });
    loop.post([&] { order += 'b'; });
    loop.post([&] {
        order += 'c';
        loop.stop();
    });
    loop.run();
    CHECK(order == "abc");
    CHECK(loop.run_until([&] { return order.size() == 4; }, 5s) == Loop::Outcome::Done);
    CHECK(order == "abcd");
}

TEST_CASE("loop: what a task posts runs before what a socket has to say meanwhile") {
    Loop loop;
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
    const FileDescriptor near{pair[0]};
    const FileDescriptor far{pair[1]};
    std::string order;
    Watch watch{loop, near.get(), [&] {
                    order += 'c';
                    loop.stop();
                }};
    watch.want_readable(Watch::Wanted::Yes);
    loop.post([&] {
        order += 'a';
        CHECK(::write(far.get(), "x", 1) == 1);
        loop.post([&] { order += 'b'; });
    });
    loop.run();
    CHECK(order == "abc");
}

TEST_CASE("signals: reach the loop instead of ending the program") {
    Loop loop;
    int seen = 0;
    Signals signals{loop, {SIGHUP, SIGUSR1}, [&](int number) { seen = number; }};
    ::raise(SIGHUP);
    CHECK(loop.run_until([&] { return seen == SIGHUP; }, 5s) == Loop::Outcome::Done);
    ::raise(SIGUSR1);
    CHECK(loop.run_until([&] { return seen == SIGUSR1; }, 5s) == Loop::Outcome::Done);
}

TEST_CASE("signals: may be destroyed in the callback, which goes on") {
    Loop loop;
    std::string seen;
    std::optional<Signals> signals;
    signals.emplace(loop, std::initializer_list<int>{SIGUSR1},
                    [&, said = std::string{"what the callback holds is still there"}](int) {
                        signals.reset();
                        seen = said;
                    });
    ::raise(SIGUSR1);
    REQUIRE(loop.run_until([&] { return !seen.empty(); }, 5s) == Loop::Outcome::Done);
    CHECK(seen == "what the callback holds is still there");
}

TEST_CASE("loop: tasks that it has not come to go with it, and what they hold may post") {
    struct Posts {
        Posts(Loop& of, int& counted) : loop(of), count(counted) {}
        Posts(const Posts&) = delete;
        Posts& operator=(const Posts&) = delete;
        ~Posts() {
            ++count;
            loop.post([] {});
        }
        Loop& loop;
        int& count;
    };
    int gone = 0;
    {
        Loop loop;
        for (int i = 0; i < 3; ++i) loop.post([held = std::make_shared<Posts>(loop, gone)] {});
    }
    CHECK(gone == 3);
}

TEST_CASE("watch: one that is ready goes before its turn, and another takes its descriptor") {
    Loop loop;
    const auto pair = [] {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
        return std::array{FileDescriptor{ends[0]}, FileDescriptor{ends[1]}};
    };
    std::array pairs{pair(), pair()};
    std::array<std::optional<Watch>, 2> watches;
    std::array<FileDescriptor, 2> heirs;
    std::optional<Watch> heir;
    int calls = 0;
    int of_heir = 0;
    for (std::size_t i = 0; i < 2; ++i) {
        watches[i].emplace(loop, pairs[i][0].get(), [&, i] {
            ++calls;
            watches[i]->want_readable(Watch::Wanted::No);
            // The other was ready, too: it goes, and its number is at once that of one that is not.
            const std::size_t other = 1 - i;
            const int number = pairs[other][0].get();
            watches[other].reset();
            pairs[other][0].reset();
            heirs = pair();
            REQUIRE(heirs[0].get() == number);
            heir.emplace(loop, number, [&] { ++of_heir; });
            heir->want_readable(Watch::Wanted::Yes);
        });
        watches[i]->want_readable(Watch::Wanted::Yes);
        REQUIRE(::write(pairs[i][1].get(), "x", 1) == 1);
    }
    Timer end{loop, [&] { loop.stop(); }};
    end.arm_after(20ms);
    loop.run();
    CHECK(calls == 1);
    CHECK(of_heir == 0);
}

TEST_CASE("worker: runs off the loop's thread, answers on it, in order") {
    Loop loop;
    Worker worker{loop};
    const auto here = std::this_thread::get_id();
    std::vector<int> answers;
    for (int i = 0; i < 50; ++i) {
        CHECK(worker.compute(
                  [i, here] {
                      CHECK(std::this_thread::get_id() != here);
                      return i * i;
                  },
                  [&, here](int square) {
                      CHECK(std::this_thread::get_id() == here);
                      answers.push_back(square);
                  }) == Submitted::Queued);
    }
    CHECK(loop.run_until([&] { return answers.size() == 50; }, 5s) == Loop::Outcome::Done);
    CHECK(answers[7] == 49);
}

TEST_CASE("worker: finishes its jobs when destroyed, drops the completions") {
    Loop loop;
    int worked = 0;
    bool done = false;
    {
        Worker worker{loop};
        for (int i = 0; i < 10; ++i) {
            CHECK(worker.submit([&] { ++worked; }, [&] { done = true; }) == Submitted::Queued);
        }
    }
    CHECK(worked == 10);
    CHECK(loop.run_until([&] { return done; }, 5ms) == Loop::Outcome::DeadlinePassed);
}

TEST_CASE("worker: takes no more than its limit") {
    Loop loop;
    Worker worker{loop};
    std::mutex gate;
    gate.lock();
    REQUIRE(worker.submit([&] { const std::lock_guard wait{gate}; }, [] {}) == Submitted::Queued);
    std::size_t taken = 0;
    while (taken < most_waiting_jobs + 2 && worker.submit([] {}, [] {}) == Submitted::Queued) {
        ++taken;
    }
    // The first job may or may not have left the queue.
    CHECK(taken >= most_waiting_jobs - 1);
    CHECK(taken <= most_waiting_jobs);
    gate.unlock();
}

TEST_CASE("random seed: differs from call to call") { CHECK(random_seed() != random_seed()); }

// Sends a greeting, then another at each timeout until three have left.
struct Greeter {
    void handle_timeout(Instant now) {
        if (!next || now < *next) return;
        due = true;
        next = ++sent < 3 ? std::optional{now + 1ms} : std::nullopt;
        if (!next) finished = true;
    }
    std::optional<int> poll_transmit() {
        return std::exchange(due, false) ? std::optional{sent} : std::nullopt;
    }
    std::optional<int> poll_event() {
        return std::exchange(finished, false) ? std::optional{sent} : std::nullopt;
    }
    std::optional<Instant> poll_timeout() const { return next; }

    std::optional<Instant> next;
    int sent = 0;
    bool due = true;
    bool finished = false;
};

TEST_CASE("drive: carries out a machine's outputs and its timeouts") {
    Loop loop;
    Greeter greeter;
    greeter.next = loop.now();
    std::vector<int> sent;
    std::optional<int> event;
    Drive drive{loop, greeter, [&](int number) { sent.push_back(number); },
                [&](int number) { event = number; }};
    drive.pump();
    CHECK(sent == std::vector{0});
    CHECK(loop.run_until([&] { return event.has_value(); }, 5s) == Loop::Outcome::Done);
    CHECK(sent == std::vector{0, 1, 2, 3});
}

}  // namespace
}  // namespace stile::drivers
