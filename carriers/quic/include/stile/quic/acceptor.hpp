// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <expected>

namespace stile::quic {

// Where a datagram came from, as far as telling protocols apart needs to know it.
enum class Origin : std::uint8_t { Peer, TurnServer };

// Whether a datagram on a socket shared with STUN, TURN, DTLS and RTP is QUIC, by its first octet.
// RFC 9443 Section 3. Works because neither side clears the QUIC bit: grease_quic_bit is not sent.
constexpr bool is_quic(std::byte first_octet, Origin origin) {
    const auto value = std::to_integer<unsigned>(first_octet);
    if (value >= 64 && value <= 79) return origin == Origin::Peer;
    return (value >= 80 && value <= 127) || value >= 192;
}

// A connection id. RFC 9000 Section 5.1.
struct ConnectionId {
    static constexpr std::size_t most_octets = 20;

    std::array<std::byte, most_octets> octets{};
    std::uint8_t size = 0;

    BytesView bytes() const& { return BytesView{octets}.first(size); }
    BytesView bytes() const&& = delete;
    friend bool operator==(const ConnectionId&, const ConnectionId&) = default;
};

// What a server needs to know of a client's first packet.
struct Initial {
    ConnectionId destination;  // chosen by the client at random
    ConnectionId source;
    std::uint32_t version = 1;
};

enum class NotInitial : std::uint8_t {
    NotQuic,         // no QUIC long header of a known form
    OtherPacket,     // QUIC, but not one that may begin a connection: drop it
    UnknownVersion,  // an Initial of a version that is not spoken here
    TooShort,        // a client's first datagram has at least 1200 octets; RFC 9000 Section 14.1
};

// Whether a datagram that belongs to no connection begins one. The connection is then made with
// what is returned, and handed the same datagram.
[[nodiscard]] std::expected<Initial, NotInitial> read_initial(BytesView datagram);

}  // namespace stile::quic
