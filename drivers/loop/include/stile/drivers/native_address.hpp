// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <sys/socket.h>

namespace stile::drivers {

// An address in the form that system calls take.
struct NativeAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);

    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

NativeAddress to_native(const SocketAddress& address);
// 0.0.0.0:0 for what is neither IPv4 nor IPv6.
SocketAddress from_native(const sockaddr_storage& storage);
// The address that the socket is bound to.
SocketAddress bound_address(int fd);

}  // namespace stile::drivers
