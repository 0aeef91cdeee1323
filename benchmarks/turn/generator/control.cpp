// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"
#include "modes.hpp"
#include "network.hpp"
#include "sessions.hpp"

#include <algorithm>

namespace stile::bench {
namespace {

constexpr std::size_t requests_at_once = 32;

}  // namespace

std::string run_allocate(const Options& options) {
    const std::size_t count = options.counts.empty() ? 2000 : options.counts.front();
    std::vector<Session> sessions = open_sessions(options, count);
    const CpuAccounting accounting{options.server_processes};
    Progress progress{options, requests_at_once};
    const CpuTimes before = accounting.now();
    progress.establish(sessions, std::nullopt);
    const CpuTimes used = accounting.now() - before;
    progress.release(sessions);
    JsonObject json;
    json.add("allocations", count).add("retransmissions", progress.retransmissions());
    json.add("mismatches", progress.mismatches());
    return std::move(json.add(used)).finish();
}

std::string run_memory(const Options& options) {
    std::vector<Session> sessions;
    Progress progress{options, requests_at_once};
    std::string rows;
    for (const std::size_t count : options.counts) {
        if (count > sessions.size()) {
            std::vector<Session> more = open_sessions(options, count - sessions.size());
            progress.establish(more, std::nullopt);
            std::ranges::move(more, std::back_inserter(sessions));
        }
        JsonObject row;
        row.add("allocations", sessions.size());
        row.add("server", memory_of(options.server_processes)).add("kernel", kernel_memory());
        rows += (rows.empty() ? "" : ", ") + std::move(row).finish();
    }
    progress.release(sessions);
    return "{\"memory\": [" + rows + "]}";
}

}  // namespace stile::bench
