// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/connect/nat_knowledge.hpp>
#include <stile/connect/path_report.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stile::connect {

// What came of trying to reach a peer.
enum class Outcome : std::uint8_t {
    Direct,
    Relayed,
    NoPath,   // everything that could be tried was tried, in vain
    Ongoing,  // no pair works yet
    NotMet,   // the peer's candidates never came: nothing could be tried
};

// One fact that explains the outcome, or what stands in the way of a better one.
enum class Reason : std::uint8_t {
    SameNetwork,      // direct between the addresses of both hosts
    NatPassed,        // direct through what is between
    NatsExclude,      // the two NATs let no direct path be: see Explanation::obstacle
    NatsUnknown,      // no direct path, and what is known of the NATs does not say why
    SomethingElse,    // the NATs would allow it: a firewall, loss, or rules for this peer
    SameNat,          // both are behind one NAT that does not turn packets round
    NoUdp,            // no server answered over UDP
    UdpFails,         // no direct UDP came through, and a TCP connection did
    NoPublicAddress,  // no server told us one, though others answer or none was named
    RelayRefused,     // the relay did not give us an address
    RelaySilent,      // the relay did not answer
    NoRelay,          // none was named to us
    PeerNoRelay,      // the peer offered no relay
    PeerTcpOnly,      // the peer offered nothing over UDP
    PeerNoPublic,     // the peer offered private addresses alone
    PeerNoIpv6,       // we have IPv6, the peer offered none
    WeNoIpv6,         // the peer has IPv6, we have none
    NoCommonFamily,   // one side has IPv4 alone, the other IPv6 alone
    PeerSilent,       // of all checks none was answered, not even by a relay
};

// How sure a verdict about the NATs is.
enum class Certainty : std::uint8_t {
    Proven,  // everything else is excluded
    Likely,  // else one of them would map by address alone, which hardly any does
};

struct Explanation {
    struct Line {
        Reason reason;
        AddressFamily family = AddressFamily::V4;  // of NatsExclude and its likes
        std::string text;                          // for the person on this side, no full stop
    };
    Outcome outcome = Outcome::Ongoing;
    // Of the route, from this host to the peer or to our relay: Udp, Tcp or Tls.
    turn::ClientTransport transport = turn::ClientTransport::Udp;
    std::vector<Line> lines;  // the most telling first
    Obstacle obstacle = Obstacle::None;
    Certainty certainty = Certainty::Proven;
    NatKnowledge ours;  // what was known, and what the session showed
    NatKnowledge theirs;

    bool has(Reason reason) const;
    // "relayed: your NAT maps per destination and theirs filters by port ...", one line. Over a
    // stream: "relayed over TLS: UDP does not get out of this network".
    std::string verdict() const;
};

// `ours` is what tests of this network have found, where there were any; what the session itself
// shows is added to it. NATs are judged for IPv4 alone.
Explanation explain(const PathReport& report, NatKnowledge ours = {});

// What one source, candidate or pair came to, in words: "asked 192.0.2.1:3478, which sees
// 203.0.113.9:4000".
std::string describe(const SourceReport& source);
std::string describe(const ice::PairReport& pair);
// "192.168.1.1 opens 203.0.113.9:4000 for 192.168.1.20:5000", or "... lets everybody reach ..."
std::string describe(const MappedPort& mapped);
std::string describe_origin(const ice::Candidate& candidate, ice::Side side);

// Words for programs, stable: "nats-exclude", "relayed".
std::string_view to_string(Outcome outcome);
std::string_view to_string(Reason reason);
std::string_view to_string(Obstacle obstacle);
std::string_view to_string(Certainty certainty);
std::string_view to_string(SourceReport::Kind kind);
std::string_view to_string(turn::ClientTransport transport);
std::string_view to_string(SourceReport::Outcome outcome);
// "host", "srflx", "prflx", "relay" as in RFC 8839 Section 5.1; and the states of RFC 8445.
std::string_view to_string(ice::CandidateType type);
std::string_view to_string(ice::PairState state);
std::string_view to_string(const ice::PairError& error);

}  // namespace stile::connect
