// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <netinet/in.h>
#include <cstring>

namespace stile::drivers {

// A socket address in no more octets than it needs: one is filled and read for every datagram.
union NativeEndpoint {
    sockaddr_in6 v6;
    sockaddr_in v4;
    sockaddr any;
};

inline socklen_t fill_endpoint(NativeEndpoint& endpoint, const SocketAddress& address) {
    const BytesView octets = address.ip.octets();
    if (address.ip.is_v4()) {
        endpoint.v4 = {};
        endpoint.v4.sin_family = AF_INET;
        endpoint.v4.sin_port = htons(address.port.value);
        std::memcpy(&endpoint.v4.sin_addr, octets.data(), sizeof endpoint.v4.sin_addr);
        return sizeof endpoint.v4;
    }
    endpoint.v6 = {};
    endpoint.v6.sin6_family = AF_INET6;
    endpoint.v6.sin6_port = htons(address.port.value);
    std::memcpy(&endpoint.v6.sin6_addr, octets.data(), sizeof endpoint.v6.sin6_addr);
    return sizeof endpoint.v6;
}

inline SocketAddress read_endpoint(const NativeEndpoint& endpoint) {
    if (endpoint.any.sa_family == AF_INET) {
        return {IpAddress::v4(ntohl(endpoint.v4.sin_addr.s_addr)),
                Port{ntohs(endpoint.v4.sin_port)}};
    }
    std::array<std::byte, 16> octets;
    std::memcpy(octets.data(), &endpoint.v6.sin6_addr, octets.size());
    return {IpAddress::v6(octets), Port{ntohs(endpoint.v6.sin6_port)}};
}

}  // namespace stile::drivers
