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
constexpr std::array blocked_rows{"one side", "one, 443 alone", "and the other", "443 alone, both"};
constexpr std::array syn_rows{"dropped", "reset", "unreachable"};
constexpr std::array refresh_rows{"outbound", "inbound", "both"};

// Each edge with each; `base` has the rest.
void add_product(std::vector<Cell>& cells, const Cell& base) {
    for (const Edge left : edges()) {
        if (base.make == make_double_nat && left == Edge::Public) continue;
        for (const Edge right : edges()) {
            Cell cell = base;
            cell.row = to_string(left);
            cell.column = to_string(right);
            cell.left = left;
            cell.right = right;
            cells.push_back(std::move(cell));
        }
    }
}

std::string_view tcp_section(Families families) {
    switch (families) {
        case Families::V4:
            return "TCP alone, UDP blocked: IPv4 behind NATs";
        case Families::V6:
            return "TCP alone, UDP blocked: IPv6 behind stateful firewalls";
        case Families::Dual:
            return "TCP alone, UDP blocked: dual stack: NATs and firewalls";
        case Families::Nat64:
            return "TCP alone, UDP blocked: IPv6 behind a NAT64 (rows), IPv4 behind a NAT "
                   "(columns)";
        case Families::count:
            break;
    }
    return "";
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

// Where UDP does not pass, or TCP does besides.
void add_tcp_cells(std::vector<Cell>& cells) {
    const Cell tcp_alone{
        .transports = Transports::UdpAndTcp, .left_udp = Udp::Blocked, .right_udp = Udp::Blocked};
    for (const Families families : {Families::V4, Families::V6, Families::Dual, Families::Nat64}) {
        Cell base = tcp_alone;
        base.section = tcp_section(families);
        base.make = make_pair;
        base.families = families;
        add_product(cells, base);
    }
    add_product(cells, {.section = "UDP and TCP both pass: IPv4 behind NATs",
                        .make = make_pair,
                        .transports = Transports::UdpAndTcp});
    Cell carrier = tcp_alone;
    carrier.section = "TCP alone: double NAT: any home behind a carrier's NAT (rows)";
    carrier.make = make_double_nat;
    add_product(cells, carrier);
    carrier.section = "TCP alone: two homes behind one carrier's NAT (columns), hairpins (rows)";
    carrier.make = make_same_carrier;
    add_rows(cells, carrier, hairpin_rows, Columns::Translating, [](Cell& cell, Edge edge) {
        cell.left = edge;
        cell.hairpin = static_cast<Hairpin>(cell.variant);
    });
    add_rows(cells,
             {.section = "UDP blocked on one side or both (rows); NATs on the other, or both",
              .make = make_pair,
              .transports = Transports::UdpAndTcp},
             blocked_rows, Columns::All, [](Cell& cell, Edge edge) {
                 cell.right = edge;
                 cell.left_udp = Udp::Blocked;
                 if (cell.variant > 0) cell.left_tcp = Tcp::HttpsOnly;
                 if (cell.variant < 2) return;
                 cell.right_udp = Udp::Blocked;
                 if (cell.variant == 3) cell.right_tcp = Tcp::HttpsOnly;
             });
    Cell syns = tcp_alone;
    syns.section = "TCP alone; an unexpected SYN is (rows); EI/APD and the other";
    syns.make = make_pair;
    syns.left = Edge::EiApd;
    add_rows(cells, syns, syn_rows, Columns::All, [](Cell& cell, Edge edge) {
        cell.right = edge;
        cell.unexpected_syn = static_cast<UnexpectedSyn>(cell.variant);
    });
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
        add_product(cells,
                    {.section = to_string(families), .make = make_pair, .families = families});
    }
    add_product(cells, {.section = "double NAT: any home behind a carrier's NAT (rows)",
                        .make = make_double_nat});
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
    add_tcp_cells(cells);
    return cells;
}

std::vector<LeftOut> left_out() {
    return {
        {"nothing but an HTTP proxy", "the tunnel is the driver's: tests/natlab/proxy_test.py"},
        {"TCP from the relay to the peer (RFC 6062)", "not in connect: datagrams pass from there"},
        {"guessed ports and opened ports", "the oracle knows plain ICE alone"},
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
