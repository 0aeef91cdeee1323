// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "native.hpp"

#include <stile/base/assert.hpp>

#include <netinet/in.h>
#include <algorithm>

namespace stile::quic {
namespace {

// Octets are copied in and out: the structures of the system are not laid over anything of ours.
socklen_t write_address(const SocketAddress& address, sockaddr_storage& storage) {
    if (address.ip.is_v4()) {
        sockaddr_in native{};
        native.sin_family = AF_INET;
        native.sin_port = htons(address.port.value);
        std::memcpy(&native.sin_addr, address.ip.octets().data(), sizeof native.sin_addr);
        std::memcpy(&storage, &native, sizeof native);
        return sizeof native;
    }
    sockaddr_in6 native{};
    native.sin6_family = AF_INET6;
    native.sin6_port = htons(address.port.value);
    std::memcpy(&native.sin6_addr, address.ip.octets().data(), sizeof native.sin6_addr);
    std::memcpy(&storage, &native, sizeof native);
    return sizeof native;
}

SocketAddress read_address(const ngtcp2_addr& address) {
    if (address.addrlen == sizeof(sockaddr_in)) {
        sockaddr_in native{};
        std::memcpy(&native, address.addr, sizeof native);
        return {.ip = IpAddress::from_octets(std::as_bytes(std::span{&native.sin_addr, 1})),
                .port = {ntohs(native.sin_port)}};
    }
    if (address.addrlen == sizeof(sockaddr_in6)) {
        sockaddr_in6 native{};
        std::memcpy(&native, address.addr, sizeof native);
        return {.ip = IpAddress::from_octets(std::as_bytes(std::span{&native.sin6_addr, 1})),
                .port = {ntohs(native.sin6_port)}};
    }
    return {};
}

}  // namespace

ngtcp2_cid to_native(const ConnectionId& id) {
    ngtcp2_cid native{};
    ngtcp2_cid_init(&native, native_data(id.bytes()), id.size);
    return native;
}

ConnectionId from_native(const ngtcp2_cid& id) {
    ConnectionId value{.octets = {}, .size = static_cast<std::uint8_t>(id.datalen)};
    STILE_ASSERT(id.datalen <= ConnectionId::most_octets);
    std::ranges::copy(from_native(id.data, id.datalen), value.octets.begin());
    return value;
}

NativePath::NativePath() {
    path_.local.addr = reinterpret_cast<sockaddr*>(&local_);
    path_.remote.addr = reinterpret_cast<sockaddr*>(&remote_);
}

NativePath::NativePath(const Path& path) : NativePath() {
    path_.local.addrlen = write_address(path.local, local_);
    path_.remote.addrlen = write_address(path.remote, remote_);
}

Path NativePath::to_path() const { return from_native(path_); }

Path from_native(const ngtcp2_path& path) {
    return {.local = read_address(path.local), .remote = read_address(path.remote)};
}

}  // namespace stile::quic
