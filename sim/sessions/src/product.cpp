// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/sessions/product.hpp>

#include "product_scenes.hpp"

#include <array>
#include <span>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration idle_time = 5min;

constexpr std::array ipv6_only_rows{"both behind it", "another NAT64", "dual stack",
                                    "IPv4, no NAT64"};
constexpr std::array stun_only_rows{"one side", "both sides"};
constexpr std::array alg_rows{"one side", "both sides"};
constexpr std::array hairpin_rows{"no hairpin", "internal source", "external source"};
constexpr std::array refresh_rows{"outbound", "inbound", "both"};

void add_product(std::vector<Cell>& cells, std::string_view section, Families families) {
    for (const Edge left : edges()) {
        for (const Edge right : edges()) {
            cells.push_back({.section = section,
                             .row = std::string{to_string(left)},
                             .column = std::string{to_string(right)},
                             .make = make_pair,
                             .left = left,
                             .right = right,
                             .families = families});
        }
    }
}

enum class Columns : std::uint8_t { All, Translating };

// Rows of variants, columns of edges; `base` has the rest.
template <class Adjust>
void add_rows(std::vector<Cell>& cells, const Cell& base, std::span<const char* const> rows,
              Columns columns, Adjust&& adjust) {
    for (std::uint32_t row = 0; row < rows.size(); ++row) {
        for (const Edge edge : edges()) {
            if (columns == Columns::Translating && edge == Edge::Public) continue;
            Cell cell = base;
            cell.row = rows[row];
            cell.column = to_string(edge);
            cell.variant = row;
            adjust(cell, edge);
            cells.push_back(std::move(cell));
        }
    }
}

}  // namespace

std::string_view to_string(Edge edge) {
    switch (edge) {
        case Edge::Public:
            return "public";
        case Edge::EiEi:
            return "EI/EI";
        case Edge::EiAd:
            return "EI/AD";
        case Edge::EiApd:
            return "EI/APD";
        case Edge::Ad:
            return "AD/AD|APD";
        case Edge::ApdSequential:
            return "APD seq.";
        case Edge::ApdRandom:
            return "APD random";
        case Edge::count:
            break;
    }
    return "";
}

std::vector<Edge> edges() {
    std::vector<Edge> all;
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Edge::count); ++i) {
        all.push_back(static_cast<Edge>(i));
    }
    return all;
}

std::string_view to_string(Families families) {
    switch (families) {
        case Families::V4:
            return "IPv4 behind NATs";
        case Families::V6:
            return "IPv6 behind stateful firewalls";
        case Families::Dual:
            return "dual stack: NATs and firewalls";
        case Families::Nat64:
            return "IPv6 alone behind a NAT64 (rows) and IPv4 behind a NAT (columns)";
        case Families::count:
            break;
    }
    return "";
}

std::vector<Cell> all_cells() {
    std::vector<Cell> cells;
    for (const Families families : {Families::V4, Families::V6, Families::Dual, Families::Nat64}) {
        add_product(cells, to_string(families), families);
    }
    for (const Edge carrier : edges()) {
        if (carrier == Edge::Public) continue;
        for (const Edge right : edges()) {
            cells.push_back({.section = "double NAT: any home behind a carrier's NAT (rows)",
                             .row = std::string{to_string(carrier)},
                             .column = std::string{to_string(right)},
                             .make = make_double_nat,
                             .left = carrier,
                             .right = right});
        }
    }
    const auto of_right = [](Cell& cell, Edge edge) { cell.right = edge; };
    const auto of_both = [](Cell& cell, Edge edge) { cell.left = cell.right = edge; };
    const auto hairpins = [](Cell& cell, Edge edge) {
        cell.left = edge;
        cell.hairpin = static_cast<Hairpin>(cell.variant);
    };
    add_rows(cells,
             {.section = "two hosts behind one NAT (columns) that hairpins so (rows)",
              .make = make_same_home},
             hairpin_rows, Columns::Translating, hairpins);
    add_rows(cells,
             {.section = "two homes behind one carrier's NAT (columns) that hairpins so (rows)",
              .make = make_same_carrier},
             hairpin_rows, Columns::Translating, hairpins);
    add_rows(cells,
             {.section = "IPv6 alone behind a NAT64 (columns), and (rows)", .make = make_ipv6_only},
             ipv6_only_rows, Columns::All, of_both);
    add_rows(cells,
             {.section = "mappings last 30 s; 5 minutes without data; refreshed by (rows)",
              .make = make_expiring,
              .idle = idle_time},
             refresh_rows, Columns::Translating, [](Cell& cell, Edge edge) {
                 cell.left = cell.right = edge;
                 cell.refresh = static_cast<Refresh>(cell.variant);
             });
    add_rows(cells,
             {.section = "mappings last 30 s; 5 minutes without data; EI/APD and the other",
              .make = make_expiring,
              .left = Edge::EiApd,
              .idle = idle_time},
             refresh_rows, Columns::All, [](Cell& cell, Edge edge) {
                 cell.right = edge;
                 cell.refresh = static_cast<Refresh>(cell.variant);
             });
    add_rows(cells, {.section = "UDP passes to port 3478 alone, on", .make = make_stun_only},
             stun_only_rows, Columns::All, of_right);
    add_rows(cells, {.section = "an ALG rewrites addresses in payloads, on", .make = make_alg},
             alg_rows, Columns::Translating, of_both);
    return cells;
}

std::vector<LeftOut> left_out() {
    return {
        {"UDP blocked on one side",
         "its relay has to be reached over TCP or TLS: no such client in "
         "connect"},
        {"UDP blocked on both sides", "as above; two relays, each reached over TCP"},
        {"TCP as the path's transport", "RFC 6544 and RFC 6062: not in ice and connect"},
    };
}

namespace {

ConnectRun start_run(const Scene& scene, std::uint64_t seed) {
    return {scene, seed, seed / 4 % 2 == 0 ? Signalling::Trickled : Signalling::Whole};
}

Scene scene_of(const Cell& cell, std::uint64_t seed) {
    const bool is_rough = seed % 2 == 0 && !cell.idle;
    return cell.make(cell, seed, is_rough ? Weather::Rough : Weather::Fair);
}

CellOutcome carry_out(const Cell& cell, const Scene& scene, ConnectRun& run) {
    CellOutcome outcome{.problem = run.run(),
                        .expected = expected_path(scene),
                        .chosen = run.chosen_path(),
                        .first_route = run.first_route().value_or(Duration::max())};
    if (!outcome.problem && cell.idle) outcome.problem = run.stay_idle(*cell.idle);
    outcome.spare_relays_lost = run.relays_lost();
    if (!outcome.problem && cell.idle && outcome.spare_relays_lost > 0) {
        outcome.problem = "a relay that no route used was lost while idle";
    }
    return outcome;
}

}  // namespace

CellOutcome run_cell(const Cell& cell, std::uint64_t seed) {
    const Scene scene = scene_of(cell, seed);
    ConnectRun run = start_run(scene, seed);
    CellOutcome outcome = carry_out(cell, scene, run);
    if (outcome.problem) {
        outcome.problem =
            scene.name + ", seed " + std::to_string(seed) + ": " + *outcome.problem + run.report();
    }
    return outcome;
}

std::string trace_cell(const Cell& cell, std::uint64_t seed) {
    const Scene scene = scene_of(cell, seed);
    ConnectRun run = start_run(scene, seed);
    const CellOutcome outcome = carry_out(cell, scene, run);
    std::string text = scene.name + ", seed " + std::to_string(seed) + ": " +
                       outcome.problem.value_or("as promised") + run.report() + "\n";
    for (const TraceEntry& entry : run.world().trace()) text += entry.to_string() + "\n";
    return text;
}

}  // namespace stile::sim
