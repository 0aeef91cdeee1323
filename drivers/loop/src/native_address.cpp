// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/native_address.hpp>

#include <netinet/in.h>
#include <cstring>

namespace stile::drivers {

NativeAddress to_native(const SocketAddress& address) {
    NativeAddress native;
    if (address.ip.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(address.port.value);
        std::memcpy(&in.sin_addr, address.ip.octets().data(), sizeof in.sin_addr);
        std::memcpy(&native.storage, &in, sizeof in);
        native.size = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(address.port.value);
        std::memcpy(&in.sin6_addr, address.ip.octets().data(), sizeof in.sin6_addr);
        std::memcpy(&native.storage, &in, sizeof in);
        native.size = sizeof in;
    }
    return native;
}

SocketAddress from_native(const sockaddr_storage& storage) {
    if (storage.ss_family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, &storage, sizeof in);
        return {IpAddress::from_octets(std::as_bytes(std::span{&in.sin_addr, 1})),
                Port{ntohs(in.sin_port)}};
    }
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 in;
        std::memcpy(&in, &storage, sizeof in);
        return {IpAddress::from_octets(std::as_bytes(std::span{&in.sin6_addr, 1})),
                Port{ntohs(in.sin6_port)}};
    }
    return {};
}

SocketAddress bound_address(int fd) {
    NativeAddress native;
    if (::getsockname(fd, native.get(), &native.size) != 0) return {};
    return from_native(native.storage);
}

}  // namespace stile::drivers
