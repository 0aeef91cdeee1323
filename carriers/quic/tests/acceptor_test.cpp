// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "pair.hpp"

#include <doctest/doctest.h>
#include <stile/quic/limits.hpp>

namespace stile::quic {
namespace {

TEST_CASE("quic acceptor: the first octet tells QUIC apart as RFC 9443 Section 3 says") {
    for (unsigned value = 0; value < 256; ++value) {
        CAPTURE(value);
        const bool quic = (value >= 64 && value <= 127) || value >= 192;
        CHECK(is_quic(std::byte(value), Origin::Peer) == quic);
        const bool channel = value >= 64 && value <= 79;
        CHECK(is_quic(std::byte(value), Origin::TurnServer) == (quic && !channel));
    }
}

Bytes first_datagram() {
    Connection client{Instant{},
                      {.credentials = alice().credentials(bob())},
                      crypto::RandomStream{crypto::seed_from_number(1)}};
    return to_bytes(client.poll_transmit(Instant{})->payload);
}

TEST_CASE("quic acceptor: a client's first datagram begins a connection") {
    const Bytes datagram = first_datagram();
    CHECK(datagram.size() >= least_datagram_octets);
    const auto initial = read_initial(datagram);
    REQUIRE(initial);
    CHECK(initial->version == 1);
    CHECK(initial->destination.size == 18);
    CHECK(initial->source.size == 8);
}

TEST_CASE("quic acceptor: what does not begin one, and why") {
    Bytes datagram = first_datagram();
    CHECK(read_initial({}).error() == NotInitial::NotQuic);
    CHECK(read_initial(BytesView{datagram}.first(5)).error() == NotInitial::NotQuic);
    CHECK(read_initial(BytesView{datagram}.first(least_datagram_octets - 1)).error() ==
          NotInitial::TooShort);
    CHECK(read_initial(Bytes(most_received_octets + 1, std::byte{0xC0})).error() ==
          NotInitial::NotQuic);
    CHECK(read_initial(Bytes(1200, std::byte{0x40})).error() == NotInitial::OtherPacket);
    CHECK(read_initial(Bytes(1200, std::byte{0x80})).error() == NotInitial::NotQuic);
    Bytes handshake = datagram;
    handshake.front() = std::byte{0xE0};
    CHECK(read_initial(handshake).error() == NotInitial::OtherPacket);
    Bytes version = datagram;
    version[1] = std::byte{0x7A};
    CHECK(read_initial(version).error() == NotInitial::UnknownVersion);
    datagram.front() &= std::byte{0xBF};  // the QUIC bit
    CHECK(read_initial(datagram).error() == NotInitial::NotQuic);
}

}  // namespace
}  // namespace stile::quic
