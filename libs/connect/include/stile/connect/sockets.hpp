// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

namespace stile::connect {

// Whether the sockets of a connector's hosts are its alone. A TURN server tells its clients apart
// by the socket (RFC 8656 Section 3.2), so that requests to relays do not leave by Shared ones but
// by own_socket_at().
enum class Sockets : std::uint8_t { Own, Shared };

// Stands for one more socket at the host's address, at any port, that is the connector's alone. The
// driver opens it when the first datagram has it as path.local, and hands in what it receives with
// the same name.
constexpr SocketAddress own_socket_at(const SocketAddress& host) { return {host.ip, Port{0}}; }
constexpr bool is_own_socket(const SocketAddress& local) { return local.port.value == 0; }

}  // namespace stile::connect
