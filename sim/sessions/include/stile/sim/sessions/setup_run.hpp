// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/scene.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::sim {

// Two people whose datagrams take exactly as long as asked for from one to the other, and as long
// by way of the relay, which is in the middle.
enum class SetupPlace : std::uint8_t {
    BothPublic,
    OneCone,      // left behind a NAT, right public
    BothCone,     // mapping endpoint-independent, filtering by address and port
    LenientCone,  // mapping by address and port on the left; the right lets everybody in
    Symmetric,    // mapping by address and port on the left, filtering so on the right: relayed
    BothSymmetric,
    ManyHosts,  // both behind cones, with four addresses each that all lead out
    count,
};
std::string_view to_string(SetupPlace place);
Scene make_setup_scene(SetupPlace place, Duration one_way);

struct SetupConfig {
    Duration one_way = std::chrono::milliseconds{50};
    // What each side proposes; absent: as connect::ConnectorConfig has it.
    std::optional<Duration> ta;
    std::uint64_t seed = 1;
};

// When what happened, from the moment on which both sides have all candidates of both.
struct SetupTimes {
    Duration round_trip{};
    Duration ta{};          // in use, of both
    std::string pair;       // types of the pair that carried the first octet, ours first
    std::size_t rank = 0;   // of it by priority among the client's pairs; 1 is the first
    std::size_t pairs = 0;  // of the client
    Duration client_route{};
    Duration server_route{};
    Duration handshake{};         // the client has the server's certificate
    Duration client_sent{};       // the first octet of the request left
    Duration server_received{};   // all of it
    Duration server_sent{};       // the first octet of the response left
    Duration client_received{};   // all of it
    std::size_t checks_sent = 0;  // by the client until its first route

    double in_round_trips(Duration time) const {
        return static_cast<double>(time.count()) / static_cast<double>(round_trip.count());
    }
};

// A whole session: each side gathers, offer and answer are handed over at one instant, the client
// opens HTTP/3 over QUIC on the first route and makes a request as soon as it may. Or what went
// wrong.
std::expected<SetupTimes, std::string> run_setup(SetupPlace place, const SetupConfig& config);

// The same between two public hosts where no UDP passes: over a TCP connection of ICE's (RFC 6544).
std::expected<SetupTimes, std::string> run_stream_setup(const SetupConfig& config);

// One line a place, and one for TCP.
std::string setup_table(const SetupConfig& config);

}  // namespace stile::sim
