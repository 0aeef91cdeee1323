// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "accounting.hpp"

#include <unistd.h>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace stile::bench {
namespace {

constexpr std::int64_t second = 1'000'000'000;

std::int64_t read_clock(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0) return 0;
    return time.tv_sec * second + time.tv_nsec;
}

std::int64_t process_time(int process) {
    clockid_t clock{};
    if (clock_getcpuclockid(process, &clock) != 0) return 0;
    return read_clock(clock);
}

// The sum of idle and of waiting for disks, over all processors.
std::optional<std::int64_t> precise_idle() {
    std::ifstream list{"/proc/timer_list"};
    std::optional<std::int64_t> sum;
    std::string line;
    while (std::getline(list, line)) {
        if (line.find(".idle_sleeptime") == std::string::npos &&
            line.find(".iowait_sleeptime") == std::string::npos) {
            continue;
        }
        sum = sum.value_or(0) + std::stoll(line.substr(line.find(':') + 1));
    }
    return sum;
}

struct Stat {
    std::int64_t idle = 0;
    std::int64_t stolen = 0;
};

Stat read_stat() {
    std::ifstream stat{"/proc/stat"};
    std::string name;
    std::int64_t user = 0;
    std::int64_t nice = 0;
    std::int64_t system = 0;
    std::int64_t idle = 0;
    std::int64_t iowait = 0;
    std::int64_t irq = 0;
    std::int64_t softirq = 0;
    std::int64_t stolen = 0;
    stat >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> stolen;
    const std::int64_t unit = second / sysconf(_SC_CLK_TCK);
    return {(idle + iowait) * unit, stolen * unit};
}

std::vector<int> find_softirq_threads() {
    std::vector<int> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream comm{entry.path() / "comm"};
        std::string command;
        std::getline(comm, command);
        if (command.starts_with("ksoftirqd/")) found.push_back(std::stoi(name));
    }
    return found;
}

// The number after this label in a file of "label: N kB" lines, in octets.
std::int64_t labelled_kilobytes(const std::string& path, const std::string& label) {
    std::ifstream file{path};
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with(label)) return std::stoll(line.substr(label.size())) * 1024;
    }
    return 0;
}

}  // namespace

CpuTimes CpuTimes::operator-(const CpuTimes& before) const {
    return {wall - before.wall, machine - before.machine, generator - before.generator,
            server - before.server, softirq - before.softirq};
}

CpuAccounting::CpuAccounting(std::vector<int> server_processes)
    : server_(std::move(server_processes)),
      softirq_(find_softirq_threads()),
      processors_(sysconf(_SC_NPROCESSORS_ONLN)) {
    resolution_ = precise_idle() ? 1 : second / sysconf(_SC_CLK_TCK);
}

CpuTimes CpuAccounting::now() const {
    CpuTimes times;
    const Stat stat = read_stat();
    const std::int64_t idle = precise_idle().value_or(stat.idle);
    times.wall = read_clock(CLOCK_MONOTONIC);
    times.machine = times.wall * processors_ - idle - stat.stolen;
    times.generator = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    for (const int process : server_) times.server += process_time(process);
    for (const int thread : softirq_) times.softirq += process_time(thread);
    return times;
}

std::int64_t memory_of(const std::vector<int>& processes) {
    std::int64_t sum = 0;
    for (const int process : processes) {
        sum += labelled_kilobytes("/proc/" + std::to_string(process) + "/smaps_rollup", "Pss:");
    }
    return sum;
}

std::int64_t kernel_memory() { return labelled_kilobytes("/proc/meminfo", "Slab:"); }

}  // namespace stile::bench
