// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/quic/acceptor.hpp>

#include <stile/quic/limits.hpp>
#include "native.hpp"

namespace stile::quic {

std::expected<Initial, NotInitial> read_initial(BytesView datagram) {
    constexpr std::byte long_header{0x80};
    constexpr std::byte quic_bit{0x40};
    if (datagram.empty() || datagram.size() > most_received_octets) {
        return std::unexpected(NotInitial::NotQuic);
    }
    if ((datagram.front() & quic_bit) == std::byte{0}) return std::unexpected(NotInitial::NotQuic);
    if ((datagram.front() & long_header) == std::byte{0}) {
        return std::unexpected(NotInitial::OtherPacket);
    }
    ngtcp2_version_cid ids{};
    const int decoded = ngtcp2_pkt_decode_version_cid(&ids, native_data(datagram), datagram.size(),
                                                      ConnectionId::most_octets);
    if (decoded == NGTCP2_ERR_VERSION_NEGOTIATION) {
        return std::unexpected(NotInitial::UnknownVersion);
    }
    if (decoded != 0) return std::unexpected(NotInitial::NotQuic);
    if (datagram.size() < least_datagram_octets) return std::unexpected(NotInitial::TooShort);
    ngtcp2_pkt_hd header{};
    if (ngtcp2_accept(&header, native_data(datagram), datagram.size()) != 0) {
        return std::unexpected(NotInitial::OtherPacket);
    }
    return Initial{.destination = from_native(header.dcid),
                   .source = from_native(header.scid),
                   .version = header.version};
}

}  // namespace stile::quic
