// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/connect/stream.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/turn/channel_data.hpp>
#include <stile/turn/client_flow.hpp>

#include <cstdint>
#include <optional>

namespace stile::connect {

enum class RouteKind : std::uint8_t {
    Direct,
    Relayed,  // through a relay of either side
};

// How application datagrams leave now.
struct Route {
    // The ICE pair: path.local is the relayed address where our relay is used.
    Path pair;
    // What is on the wire: the same, or the way to our relay.
    Path wire;
    // Our relay is used, and this channel leads to the peer: a sender may write
    // turn::channel_header and the payload to `wire` itself. Without a channel, and with our relay,
    // use Connector::send.
    std::optional<turn::ChannelNumber> channel;
    // `wire` is a TCP connection: use Connector::send.
    std::optional<StreamId> stream{};
    // Of `wire`.
    turn::ClientTransport transport = turn::ClientTransport::Udp;
    RouteKind kind = RouteKind::Direct;
    ice::CandidateType local_type = ice::CandidateType::Host;
    ice::CandidateType remote_type = ice::CandidateType::Host;
    std::optional<Duration> round_trip;
    friend bool operator==(const Route&, const Route&) = default;
};

}  // namespace stile::connect
