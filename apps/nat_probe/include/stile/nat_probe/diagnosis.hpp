// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/connect/nat_knowledge.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/nat_probe/relay_probe.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stile::nat_probe {

// How a server was reached by one transport.
struct Reach {
    std::optional<Duration> took;            // it was reached
    std::optional<drivers::Closed> failure;  // it was not; neither: not in the time there was
};

// What was found out about a network. Absent is not asked, or not answered in time.
struct NetworkFindings {
    std::vector<IpAddress> addresses;  // of this host, usable beyond its own network
    std::optional<IpPrefix> nat64;     // asked for where no address is IPv4 (RFC 7050)
    struct Udp {
        SocketAddress server;
        SocketAddress local;
        std::optional<SocketAddress> mapped;  // absent: nothing came back
        std::optional<Duration> round_trip;
    };
    std::vector<Udp> udp;
    connect::NatKnowledge nat;
    struct Tcp {
        SocketAddress server;
        SocketAddress local;
        std::optional<SocketAddress> mapped;
        std::optional<stun::MappingBehavior> mapping;
        std::optional<drivers::Closed> failure;
    };
    std::optional<Tcp> tcp;
    struct PortMapping {
        // What a router does: for IPv6 it translates nothing, and opens its firewall.
        enum class Effect : std::uint8_t { Forwards, LetsThrough };
        enum class Protocol : std::uint8_t { Udp, Tcp };
        std::string by;  // "PCP"
        SocketAddress external;
        Protocol protocol = Protocol::Udp;
        Effect effect = Effect::Forwards;
    };
    enum class Gateway : std::uint8_t { NotAsked, Silent, Maps };
    Gateway gateway = Gateway::NotAsked;
    std::vector<PortMapping> port_mappings;  // at most one for each family and protocol

    // The relay over TCP or TLS, as sessions use it where there is none over UDP.
    struct StreamRelay {
        enum class Way : std::uint8_t {
            Straight,
            ByProxy,  // the network's: not tried
        };
        SocketAddress server;
        turn::ClientTransport transport = turn::ClientTransport::Tls;  // Tcp or Tls
        Way way = Way::Straight;
        std::optional<SocketAddress> relayed;
        std::optional<Duration> took;                   // until it gave that address
        std::optional<turn_link::LinkFailure> failure;  // neither: no answer in time
    };

    struct Server {
        std::string name;                       // "203.0.113.7"
        std::optional<app::Problem> not_found;  // the name leads nowhere
        Reach https;
        Reach sips;
        std::optional<app::Problem> no_credentials;
        std::optional<RelayFindings> relay;  // over UDP
        std::optional<StreamRelay> stream_relay;
    };
    std::optional<Server> server;  // absent: nobody is logged in
    WallTime wall_clock{};
    std::optional<Duration> clock_ahead;        // of the server's Date, negative: behind it
    std::optional<WallTime> certificate_until;  // ours
};

// One line of the report, as a doctor would say it.
struct Finding {
    enum class Level : std::uint8_t { Good, Note, Bad };
    std::string topic;  // "UDP"; a word for programs, too
    Level level = Level::Good;
    std::string found;  // what there is
    std::string means;  // for reaching peers; may be empty
    std::string fix;    // may be empty
};

struct Diagnosis {
    std::vector<Finding> findings;
    // How peers are reached: "direct", "direct-mostly", "relay-often", "relay-always", "unknown",
    // "none".
    std::string calls;
    std::string verdict;  // one line
    app::ExitCode code = app::ExitCode::Done;
};

// Clocks further apart than this are worth a word, and than the other they break things:
// certificates are a day old at first, and relay credentials are good for an hour.
inline constexpr Duration tolerated_skew = std::chrono::seconds{30};
inline constexpr Duration harmful_skew = std::chrono::minutes{5};

Diagnosis diagnose(const NetworkFindings& found);

std::string_view to_string(Finding::Level level);  // "good", "note", "bad"

}  // namespace stile::nat_probe
