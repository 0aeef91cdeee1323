// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/quic/config.hpp>

namespace stile::quic {

// A way that a client's datagrams take, by number. The addresses which the library is shown stand
// for it, and never leave this machine: to a client, its own is another after each change (RFC 9000
// Section 9). The two sides' labels have nothing to do with each other.
struct PathLabel {
    std::uint32_t number = 0;
    friend bool operator==(PathLabel, PathLabel) = default;
};

constexpr PathLabel after(PathLabel label) { return {label.number + 1}; }

// 28 bits of the number, in a block of addresses that nobody has.
constexpr Path path_of(Role role, PathLabel label) {
    constexpr std::uint32_t reserved_block = 0xF0000000;
    const SocketAddress client{
        .ip = IpAddress::v4(reserved_block | (label.number & ~reserved_block)), .port = {1}};
    const SocketAddress server{.ip = IpAddress::v4(0xC0000201), .port = {2}};
    return role == Role::Client ? Path{.local = client, .remote = server}
                                : Path{.local = server, .remote = client};
}

}  // namespace stile::quic
