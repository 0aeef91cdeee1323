// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>

#include "loop_impl.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>

namespace stile::drivers {
namespace {

// Where the handler, which knows nothing else, writes the number of each signal.
std::array<std::atomic<int>, NSIG> pipes;
static_assert(std::atomic<int>::is_always_lock_free);

void on_system_signal(int number) {
    const int saved = errno;
    const auto octet = static_cast<unsigned char>(number);
    // A full pipe has enough to say already.
    (void)!::write(pipes[static_cast<std::size_t>(number)].load(), &octet, 1);
    errno = saved;
}

}  // namespace

struct Signals::State : std::enable_shared_from_this<Signals::State> {
    struct Before {
        int number;
        int pipe;
        struct sigaction action;
    };

    State(Loop& loop, std::move_only_function<void(int)> callback)
        : on_signal(std::move(callback)) {
        int ends[2];
        const int made = ::pipe2(ends, O_NONBLOCK | O_CLOEXEC);
        STILE_ASSERT(made == 0);
        reader.reset(ends[0]);
        writer.reset(ends[1]);
        watch.emplace(loop, reader.get(), [this] { read(); });
        watch->want_readable(Watch::Wanted::Yes);
    }

    void take(int number) {
        Before before{};
        before.number = number;
        before.pipe = pipes[static_cast<std::size_t>(number)].exchange(writer.get());
        struct sigaction action{};
        action.sa_handler = on_system_signal;
        action.sa_flags = SA_RESTART;
        ::sigaction(number, &action, &before.action);
        earlier.push_back(before);
    }

    void give_back() {
        for (const Before& before : earlier) {
            ::sigaction(before.number, &before.action, nullptr);
            pipes[static_cast<std::size_t>(before.number)].store(before.pipe);
        }
    }

    void read() {
        const auto self = shared_from_this();
        unsigned char octet = 0;
        // One a wake-up: the callback may destroy this.
        if (::read(reader.get(), &octet, 1) == 1) on_signal(octet);
    }

    std::move_only_function<void(int)> on_signal;
    FileDescriptor reader;
    FileDescriptor writer;
    std::vector<Before> earlier;
    std::optional<Watch> watch;
};

Signals::Signals(Loop& loop, std::initializer_list<int> numbers,
                 std::move_only_function<void(int)> on_signal)
    : state_(std::make_shared<State>(loop, std::move(on_signal))) {
    for (const int number : numbers) state_->take(number);
}

Signals::~Signals() { state_->give_back(); }

}  // namespace stile::drivers
