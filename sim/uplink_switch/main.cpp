// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// How long a transfer is silent when one side changes its uplink, in round trips, case by case.
// With a case's number: what happens in it. Each case has to be below the bound of its class.
#include <stile/sim/sessions/switch_run.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace stile;
using namespace std::chrono_literals;

std::string_view name_of(sim::Families families) {
    switch (families) {
        case sim::Families::V4:
            return "v4";
        case sim::Families::V6:
            return "v6";
        case sim::Families::Dual:
            return "dual";
        case sim::Families::Nat64:
        case sim::Families::count:
            break;
    }
    return "";
}

int print_one(const sim::SwitchConfig& config) {
    const auto times = sim::run_switch(config);
    std::puts(times ? times->timeline.c_str() : times.error().c_str());
    return times ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<sim::SwitchConfig> all = sim::all_switches(50ms);
    if (argc > 1) {
        const auto number = static_cast<std::size_t>(std::strtoul(argv[1], nullptr, 10));
        return number < all.size() ? print_one(all[number]) : 2;
    }
    std::puts(
        "In round trips of 100 ms, from the moment on which the endpoint that moves is told of it:"
        "\ngap: the longest silence of the application that receives; bound: what it must be below;"
        "\nmoves, stays: when the one who moves, and the one who stays, sends another way (0: "
        "before);"
        "\nSHA-256: the first octets; what was read has the one of what was sent.\n\n"
        " no  family  what                who      order         gap  bound  moves  stays   octets "
        " "
        "SHA-256           path");
    int problems = 0;
    double longest = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const sim::SwitchConfig& config = all[i];
        std::printf("%3zu  %-6s  %-18s  %-7s  %-11s ", i,
                    std::string{name_of(config.families)}.c_str(),
                    std::string{to_string(config.place)}.c_str(),
                    std::string{to_string(config.mover)}.c_str(),
                    std::string{to_string(config.order)}.c_str());
        const auto times = sim::run_switch(config);
        if (!times) {
            ++problems;
            std::printf("%s\n", times.error().substr(0, times.error().find('\n')).c_str());
            continue;
        }
        const bool is_best = times->chosen == times->expected;
        const double gap = times->in_round_trips(times->gap);
        const double bound = sim::bound_of(config).round_trips;
        problems += is_best && gap < bound ? 0 : 1;
        longest = std::max(longest, gap);
        std::printf("%5.2f  %5.2f  %5.2f  %5.2f  %7zu  %.16s  %s%s%s\n", gap, bound,
                    times->in_round_trips(times->mover_route),
                    times->in_round_trips(times->stayer_route), times->octets,
                    times->sha256.c_str(), sim::to_string(times->chosen).c_str(),
                    is_best ? "" : (", not " + sim::to_string(times->expected)).c_str(),
                    gap < bound ? "" : ", ABOVE THE BOUND");
    }
    std::printf("\n%zu cases, the longest gap %.2f round trips, %d problems\n", all.size(), longest,
                problems);
    return problems == 0 ? 0 : 1;
}
