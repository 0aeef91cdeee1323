// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/ice/checklist.hpp>
#include <stile/ice/connection.hpp>

#include <optional>
#include <variant>

namespace stile::ice {

// RFC 8445 Section 6.1.3, and what comes before it.
enum class State : std::uint8_t {
    Waiting,    // for the peer's credentials
    Running,    // checks go on; data may flow on the pair that PairSelected names
    Completed,  // each component has a nominated pair
    Failed,     // no pair works, or none does any longer; restart() is the way back
};

enum class Selection : std::uint8_t {
    Provisional,  // valid, and data may use it now; a better one may follow (RFC 8445 Section 12.1)
    Nominated,    // final for this generation (RFC 8445 Section 8.1.2)
};

struct StateChanged {
    State state;
};

// From now on data of the component goes this way: to path.remote, from path.local, which is the
// local candidate's base (the relayed address for a relayed candidate).
struct PairSelected {
    ComponentId component;
    Path path;
    CandidateType local_type;  // as the peer sees us
    CandidateType remote_type;
    Selection selection;
    std::optional<Duration> round_trip;
    // Of a TCP pair: data goes as RFC 4571 frames on this connection. Empty for UDP.
    std::optional<ConnectionId> connection;
};

// Nothing may be sent on the path any longer. RFC 7675 Section 5.1. If another pair works, a
// PairSelected follows; if not, Failed does or will.
struct ConsentExpired {
    ComponentId component;
    Path path;
    PairError error;
};

enum class FailureReason : std::uint8_t {
    NoValidPair,  // every check failed, and patience is over (RFC 8863)
    ConsentLost,  // the nominated pair, or the last one that worked, works no longer
};

struct Failed {
    FailureReason reason;
};

// A peer reflexive candidate. RFC 8445 Sections 7.2.5.3.1 and 7.3.1.3.
struct CandidateFound {
    Side side;
    Candidate candidate;
};

// Wanted: a TCP connection, opened from path.local to path.remote; port 9 of path.local stands for
// any port of that address. Answer with Agent::handle_connected or handle_connect_failed. A
// SimultaneousOpen one leaves from the very socket address that its candidate listens on. RFC 6544
// Section 7.1.
struct ConnectionWanted {
    ConnectionId id;
    ComponentId component;
    Path path;
    TcpType type;  // Active or SimultaneousOpen
};

// The agent is through with this connection, or with the attempt to open it: close it. Nothing that
// comes from it is of use any longer. RFC 6544 Sections 8 and 11.1.
struct ConnectionReleased {
    ConnectionId id;
};

using Event = std::variant<StateChanged, PairSelected, ConsentExpired, Failed, CandidateFound,
                           ConnectionWanted, ConnectionReleased>;

// One line of a diagnosis.
struct PairReport {
    ComponentId component;
    SocketAddress local;  // the address of the local candidate
    Path path;            // what is on the wire
    CandidateType local_type;
    CandidateType remote_type;
    PairPriority priority;
    PairState state;
    bool valid;
    bool nominated;
    bool selected;
    std::optional<PairError> last_error;
    std::optional<Duration> round_trip;
    Transport transport = Transport::Udp;
    std::optional<ConnectionId> connection;  // an open one, or one that is being opened
};

}  // namespace stile::ice
