// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Prints which path the connectors chose for every cell of the product, and whether it was the
// oracle's best.
#include <stile/base/text.hpp>
#include <stile/sim/sessions/product.hpp>

#include <algorithm>
#include <cstdio>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace stile::sim {
namespace {

constexpr std::uint64_t default_seeds = 4;
constexpr std::uint64_t most_seeds = 10'000;
constexpr std::size_t most_problems = 20;  // printed

struct Tally {
    std::size_t runs = 0;
    std::size_t connected = 0;
    std::size_t best = 0;
    std::size_t spare_relays_lost = 0;
    std::vector<Duration> first_routes = {};
    std::vector<std::string> problems = {};
};

// Short enough for a column.
std::string symbol(const BestPath& path) {
    const auto passage = [&] {
        switch (path.passage.value_or(Passage::V4)) {
            case Passage::Translated:
                return "64";
            case Passage::V4:
                return "4";
            case Passage::V6:
                return "6";
        }
        return "";
    };
    switch (path.kind) {
        case PathKind::None:
            return "none";
        case PathKind::RelayedByBoth:
            return "relay2";
        case PathKind::RelayedByOne:
            return "relay1";
        case PathKind::TcpReflexive:
            return std::string{"tcp-rflx"} + passage();
        case PathKind::TcpHost:
            return std::string{"tcp-host"} + passage();
        case PathKind::Reflexive:
            return std::string{"rflx"} + passage();
        case PathKind::Host:
            return std::string{"host"} + passage();
    }
    return "";
}

std::string run_seeds(std::size_t number, const Cell& cell, std::uint64_t seeds, Tally& tally) {
    std::set<std::string> chosen;
    std::size_t wrong = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CellOutcome outcome = run_cell(cell, seed);
        ++tally.runs;
        if (outcome.chosen.kind != PathKind::None) ++tally.connected;
        if (outcome.chosen == outcome.expected) ++tally.best;
        tally.spare_relays_lost += outcome.spare_relays_lost;
        if (outcome.problem) {
            ++wrong;
            tally.problems.push_back("cell " + std::to_string(number) + ": " + *outcome.problem);
        }
        if (outcome.first_route != Duration::max()) {
            tally.first_routes.push_back(outcome.first_route);
        }
        chosen.insert(symbol(outcome.chosen));
    }
    std::string text;
    for (const std::string& one : chosen) text += (text.empty() ? "" : "|") + one;
    if (wrong > 0) text += " !" + std::to_string(wrong);
    return text;
}

void print_row(std::string_view head, const std::vector<std::string>& cells) {
    std::printf("| %-15.*s |", static_cast<int>(head.size()), head.data());
    for (const std::string& cell : cells) std::printf(" %-13s |", cell.c_str());
    std::printf("\n");
}

// `number` is the first cell's.
void print_section(std::size_t number, std::span<const Cell> cells, std::uint64_t seeds,
                   Tally& tally) {
    std::printf("\n%.*s\n\n", static_cast<int>(cells.front().section.size()),
                cells.front().section.data());
    std::vector<std::string> heads;
    for (const Cell& cell : cells) {
        if (cell.row == cells.front().row) heads.push_back(cell.column);
    }
    print_row("", heads);
    print_row("---", std::vector<std::string>(heads.size(), "---"));
    for (std::size_t first = 0; first < cells.size(); first += heads.size()) {
        std::vector<std::string> row;
        for (const Cell& cell : cells.subspan(first, heads.size())) {
            row.push_back(run_seeds(number++, cell, seeds, tally));
        }
        print_row(cells[first].row, row);
        std::fflush(stdout);
    }
}

long milliseconds(Duration time) {
    return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

void print_tally(std::size_t cells, Tally& tally) {
    std::printf(
        "\n%zu cells, %zu runs: %zu connected, %zu by the oracle's best path, %zu problems\n",
        cells, tally.runs, tally.connected, tally.best, tally.problems.size());
    std::ranges::sort(tally.first_routes);
    const auto quantile = [&](std::size_t percent) {
        const std::size_t last = tally.first_routes.size() - 1;
        return milliseconds(tally.first_routes[last * percent / 100]);
    };
    if (!tally.first_routes.empty()) {
        std::printf(
            "until both sides could send, gathering and signalling included: half within "
            "%ld ms, 95 %% within %ld ms, all within %ld ms\n",
            quantile(50), quantile(95), quantile(100));
    }
    if (tally.spare_relays_lost > 0) {
        std::printf("relays that no route used and that were lost: %zu\n", tally.spare_relays_lost);
    }
    for (std::size_t i = 0; i < std::min(tally.problems.size(), most_problems); ++i) {
        std::printf("%s\n", tally.problems[i].c_str());
    }
}

int print_table(std::uint64_t seeds) {
    std::printf(
        "Paths between two peers with a STUN and TURN server; %llu seeds a cell.\n"
        "host, rflx: direct, with addresses as sent or translated; tcp-: over TCP; relay1, "
        "relay2: through the relay of one, or of both.\n"
        "4, 6, 64: IPv4, IPv6, one of each. EI, AD, APD: endpoint-independent, address-, "
        "address- and port-dependent (mapping/filtering).\n"
        "a|b: by what the seed draws besides. !n: in n runs something else happened than "
        "the topology promises.\n",
        static_cast<unsigned long long>(seeds));
    const std::vector<Cell> cells = all_cells();
    Tally tally;
    for (auto from = cells.begin(); from != cells.end();) {
        const auto to = std::find_if(
            from, cells.end(), [&](const Cell& cell) { return cell.section != from->section; });
        print_section(static_cast<std::size_t>(from - cells.begin()), {from, to}, seeds, tally);
        from = to;
    }
    std::printf("\nNot in the table:\n");
    for (const LeftOut& one : left_out()) {
        std::printf("- %s: %s\n", std::string{one.topology}.c_str(),
                    std::string{one.reason}.c_str());
    }
    print_tally(cells.size(), tally);
    const bool good = tally.problems.empty() && tally.best == tally.runs;
    return good ? 0 : 1;
}

}  // namespace
}  // namespace stile::sim

int main(int count, char** arguments) {
    using namespace stile::sim;
    const std::vector<std::string_view> words{arguments + 1, arguments + count};
    const auto number_at = [&](std::size_t i, std::uint64_t most) -> std::optional<std::uint64_t> {
        return i < words.size() ? stile::parse_unsigned(words[i], most) : std::nullopt;
    };
    if (words.empty()) return print_table(default_seeds);
    if (words.size() == 2 && words[0] == "--seeds") {
        const auto seeds = number_at(1, most_seeds);
        if (seeds && *seeds > 0) return print_table(*seeds);
    }
    if (words.size() == 3 && words[0] == "--trace") {
        const std::vector<Cell> cells = all_cells();
        const auto cell = number_at(1, cells.size() - 1);
        const auto seed = number_at(2, most_seeds);
        if (cell && seed) {
            std::fputs(trace_cell(cells[*cell], *seed).c_str(), stdout);
            return 0;
        }
    }
    std::fprintf(stderr, "usage: stile_sim_table [--seeds N | --trace CELL SEED]\n");
    return 2;
}
