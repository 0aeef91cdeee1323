// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/turn/channel_data.hpp>
#include <stile/turn/client_flow.hpp>

#include <array>
#include <optional>
#include <variant>

namespace stile::turn {

// A relay socket, wanted or open, of one server. Never reused: a datagram that a driver still held
// for a closed relay finds nothing.
struct RelayId {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    friend constexpr auto operator<=>(RelayId, RelayId) = default;
};

enum class PortRule : std::uint8_t {
    Any,
    Even,
    EvenAndNext,  // an even port N, and N + 1 on the same address for RelayWanted::next
};

// What a relay speaks with peers. RFC 8656, and RFC 6062.
enum class RelayProtocol : std::uint8_t { Udp, Tcp };

// The driver opens a UDP socket, or a listening TCP socket whose address outgoing connections can
// share (SO_REUSEADDR and SO_REUSEPORT), on a random free port, 49152 to 65535 where the host is
// shared (RFC 8656 Section 7.2, RFC 6056), and answers with handle_relay_opened or
// handle_relay_failed.
struct RelayWanted {
    RelayId relay;
    AddressFamily family = AddressFamily::V4;
    RelayProtocol protocol = RelayProtocol::Udp;
    PortRule rule = PortRule::Any;
    // Present exactly with EvenAndNext. Both open or neither; one answer, for `relay`, says both.
    std::optional<RelayId> next;
};

// The driver closes the socket, or gives up opening it. Comes once for every relay that was wanted
// and has not failed. What it still says about that relay is ignored.
struct RelayClosed {
    RelayId relay;
};

enum class Fragmentation : std::uint8_t {
    Allowed,
    Forbidden,  // DF set, RFC 8656 Section 14; the client asked for it
};

// One datagram from a relay to a peer. The payload views what was handed to the server.
struct ToPeer {
    RelayId relay;
    SocketAddress peer;
    BytesView payload;
    Fragmentation fragmentation = Fragmentation::Allowed;
};

// Everything before the payload: a ChannelData header, or a Data indication up to its DATA value.
inline constexpr std::size_t most_prefix_octets = 48;

// One message to a client, as three parts for one gathering send: prefix, payload, and `padding`
// zero octets. The payload views what was handed to the server.
struct ToClient {
    ClientFlow flow;
    std::array<std::byte, most_prefix_octets> prefix_octets;
    std::uint8_t prefix_size = 0;
    std::uint8_t padding = 0;  // at most 3
    BytesView payload;

    BytesView prefix() const& { return BytesView{prefix_octets}.first(prefix_size); }
    BytesView prefix() const&& = delete;
    std::size_t size() const { return prefix_size + payload.size() + padding; }
};

using Relayed = std::variant<ToPeer, ToClient>;

}  // namespace stile::turn
