// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/oracle.hpp>
#include <stile/sim/sessions/product.hpp>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace stile::sim {

// Who takes the machine to another network while a transfer goes on.
enum class SwitchMover : std::uint8_t { Getting, Sharing };
std::string_view to_string(SwitchMover mover);

enum class SwitchOrder : std::uint8_t {
    MakeFirst,   // the new uplink is there for a while before the old one goes
    BreakFirst,  // for a moment there is none
};
std::string_view to_string(SwitchOrder order);

// What is possible before and after. Relayed: the mover's NAT maps by destination, or for IPv6 and
// both families lets nothing through but TURN; the one who stays is behind a NAT or firewall that
// filters by address and port.
enum class SwitchPlace : std::uint8_t {
    Public,  // nothing in between, on either side
    DirectToDirect,
    DirectToRelayed,
    RelayedToDirect,
    RelayedToRelayed,
    count,
};
std::string_view to_string(SwitchPlace place);

struct SwitchConfig {
    Families families = Families::V4;  // not Nat64
    SwitchMover mover = SwitchMover::Getting;
    SwitchOrder order = SwitchOrder::MakeFirst;
    SwitchPlace place = SwitchPlace::Public;
    Duration one_way = std::chrono::milliseconds{50};
    std::uint64_t seed = 1;
};

// From the moment on which the mover's endpoint is told of the last of the change: that the old
// uplink is gone, or that the new one is there.
struct SwitchTimes {
    Duration round_trip{};    // of the new path
    Duration gap{};           // the longest silence of the receiving application
    Duration mover_route{};   // the mover's first route over the new uplink; zero: was there before
    Duration stayer_route{};  // the same of who stays
    Duration signalling{};    // the mover's connection to its server; zero: not broken
    BestPath expected;        // the oracle's for the new topology
    BestPath chosen;          // at the end, of both routes
    std::size_t octets = 0;   // of the transfer, all of which arrived as they were sent
    std::string sha256;       // of what was sent and of what was read, which is the same
    std::string timeline;     // what happened when, for a person

    double in_round_trips(Duration time) const {
        return static_cast<double>(time.count()) / static_cast<double>(round_trip.count());
    }
};

// A whole session by way of a SIP server, over which one side sends HTTP/3 to the other at a steady
// rate; then one of them moves. Or what went wrong.
std::expected<SwitchTimes, std::string> run_switch(const SwitchConfig& config);

// Below how many round trips the gap has to be, and why.
struct SwitchBound {
    double round_trips;
    std::string_view reason;
};
SwitchBound bound_of(const SwitchConfig& config);

// Every combination at this distance.
std::vector<SwitchConfig> all_switches(Duration one_way);

}  // namespace stile::sim
