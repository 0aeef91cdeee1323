// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/link_datagram.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <cstring>
#include <optional>

namespace stile::drivers {

template <class T>
T read_control(const cmsghdr& header) {
    T value;
    std::memcpy(&value, CMSG_DATA(&header), sizeof value);
    return value;
}

// Of IP_PKTINFO and IPV6_PKTINFO; empty for other control messages.
inline std::optional<PacketInfo> read_packet_info(const cmsghdr& header) {
    if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO) {
        const auto info = read_control<in_pktinfo>(header);
        return PacketInfo{IpAddress::v4(ntohl(info.ipi_addr.s_addr)),
                          static_cast<unsigned>(info.ipi_ifindex)};
    }
    if (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_PKTINFO) {
        const auto info = read_control<in6_pktinfo>(header);
        return PacketInfo{IpAddress::from_octets(std::as_bytes(std::span{&info.ipi6_addr, 1})),
                          info.ipi6_ifindex};
    }
    return std::nullopt;
}

}  // namespace stile::drivers
