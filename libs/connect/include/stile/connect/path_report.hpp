// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/connect/mapped_port.hpp>
#include <stile/connect/route.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/ice/events.hpp>
#include <stile/turn/client_flow.hpp>
#include <stile/turn/failure.hpp>
#include <stile/turn/relay.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stile::connect {

// What became of one server that candidates were asked of.
struct SourceReport {
    enum class Kind : std::uint8_t { Stun, Turn };
    enum class Outcome : std::uint8_t {
        NotAsked,  // its turn had not come, or no socket can reach it
        Pending,   // asked, and no answer yet
        Answered,
        Silent,   // no usable answer, for limits::source_deadline at least
        Refused,  // TURN: `failure` says why
    };
    Kind kind = Kind::Stun;
    turn::ClientTransport transport = turn::ClientTransport::Udp;  // to the server
    turn::RelayProtocol relays = turn::RelayProtocol::Udp;         // TURN: what it was asked for
    Path path;  // the socket and the server; the socket is unspecified while not asked
    Outcome outcome = Outcome::NotAsked;
    std::optional<SocketAddress> mapped;  // the socket as the server sees it
    std::vector<SocketAddress> relayed;   // TURN: one, or one a family
    std::optional<turn::Failure> failure;
    Instant asked{};
    std::optional<Duration> took;  // to the answer, or to giving up
};

// Everything that was tried for one path, and what came of it. A copy: it outlives the Connector.
struct PathReport {
    ice::Role role = ice::Role::Controlling;
    ice::State state = ice::State::Waiting;
    std::vector<SourceReport> sources;  // in the order in which they were asked
    std::vector<MappedPort> mapped;     // what routers keep open for it now
    std::vector<ice::Candidate> local;  // those that checks discovered included
    std::vector<ice::Candidate> remote;
    std::vector<std::string> unresolved;  // names of theirs that are not found on our links
    std::vector<ice::PairReport> pairs;   // by falling priority
    std::optional<Route> route;
};

}  // namespace stile::connect
