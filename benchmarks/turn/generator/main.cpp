// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A load generator for TURN and STUN servers. README.md of the folder says how to use it.
#include "modes.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <cstdio>

namespace {

std::string run(const stile::bench::Options& options) {
    using stile::bench::Mode;
    switch (options.mode) {
        case Mode::Relay:
            return run_relay(options);
        case Mode::Allocate:
            return run_allocate(options);
        case Mode::Binding:
            return run_binding(options);
        case Mode::Memory:
            return run_memory(options);
    }
    return {};
}

}  // namespace

int main(int count, char** words) {
    const stile::bench::Options options = stile::bench::parse_options({words + 1, words + count});
    // As root the limit may go up; otherwise as many sockets as we may have.
    rlimit files{1U << 20U, 1U << 20U};
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_TIMERSLACK, 1);  // else each sleep lasts 50 microseconds longer
    std::puts(run(options).c_str());
}
