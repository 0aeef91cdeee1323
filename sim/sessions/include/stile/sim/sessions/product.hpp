// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/connect_run.hpp>
#include <stile/sim/sessions/scene.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::sim {

// What stands between a host and the internet. An IPv6 firewall filters as the NAT does and maps
// nothing; a NAT64 maps and filters as the NAT would.
enum class Edge : std::uint8_t {
    Public,  // nothing
    EiEi,    // mapping, filtering
    EiAd,
    EiApd,
    Ad,             // filtering AD or APD, as the seed draws
    ApdSequential,  // both APD, with sequential ports
    ApdRandom,
    count,
};
std::string_view to_string(Edge edge);
std::vector<Edge> edges();

// What the two hosts speak, and what of it their edges let through.
enum class Families : std::uint8_t {
    V4,     // NATs
    V6,     // stateful firewalls
    Dual,   // both beside each other
    Nat64,  // IPv6 alone and a NAT64 on the left, IPv4 behind a NAT on the right
    count,
};
std::string_view to_string(Families families);

// A cell of the table: one kind of topology, of which each seed draws the rest.
struct Cell {
    std::string_view section;
    std::string row;
    std::string column;
    Scene (*make)(const Cell& cell, std::uint64_t seed, Weather weather);
    // What `make` needs; each section uses those that it varies.
    Edge left = Edge::Public;
    Edge right = Edge::Public;
    Families families = Families::V4;
    Hairpin hairpin = Hairpin::None;
    Refresh refresh = Refresh::Both;
    std::uint32_t variant = 0;
    // With TCP beside UDP, and what passes to the internet.
    Transports transports = Transports::UdpOnly;
    Udp left_udp = Udp::Allowed;
    Udp right_udp = Udp::Allowed;
    Tcp left_tcp = Tcp::Allowed;
    Tcp right_tcp = Tcp::Allowed;
    UnexpectedSyn unexpected_syn = UnexpectedSyn::Dropped;
    // After the route is found nobody sends for so long; then it still has to carry data.
    std::optional<Duration> idle = {};
};

// All cells, section by section, row by row.
std::vector<Cell> all_cells();

// Topologies for which the issue of a path depends on something that does not exist here.
struct LeftOut {
    std::string_view topology;
    std::string_view reason;
};
std::vector<LeftOut> left_out();

struct CellOutcome {
    std::optional<std::string> problem;  // what was not as the topology promises
    BestPath expected;
    BestPath chosen;
    std::size_t spare_relays_lost = 0;  // that no route used, while idle
    Duration first_route{};             // until both sides had one, from the start of gathering
};
// Odd seeds have fair weather, even ones rough; a cell that stays idle has fair weather always,
// since RFC 7675 gives up consent after five or six lost datagrams.
CellOutcome run_cell(const Cell& cell, std::uint64_t seed);
// The same run again: what became of it, and the newest entries of its trace.
std::string trace_cell(const Cell& cell, std::uint64_t seed);

}  // namespace stile::sim
