// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stile::bench {

// CPU time used until now, in nanoseconds.
struct CpuTimes {
    std::int64_t wall = 0;       // of the steady clock
    std::int64_t machine = 0;    // all processors together: whatever was not idle, and not stolen
    std::int64_t generator = 0;  // this process
    std::int64_t server = 0;     // its processes with all threads
    std::int64_t softirq = 0;    // the ksoftirqd threads

    CpuTimes operator-(const CpuTimes& before) const;
};

// Reads the machine's idle time from /proc/timer_list, to the nanosecond; where only /proc/stat is
// readable, in units of 10 ms.
class CpuAccounting {
public:
    explicit CpuAccounting(std::vector<int> server_processes);

    CpuTimes now() const;
    // Of one reading of the machine's time.
    std::int64_t resolution() const { return resolution_; }

private:
    std::vector<int> server_;
    std::vector<int> softirq_;
    std::int64_t processors_;
    std::int64_t resolution_ = 0;
};

// Octets that the processes keep in memory, shared pages counted in part (PSS).
std::int64_t memory_of(const std::vector<int>& processes);
// Kernel memory of the machine's sockets and whatever else the kernel's caches hold, in octets.
std::int64_t kernel_memory();

}  // namespace stile::bench
