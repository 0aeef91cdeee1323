// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/os_error.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <expected>

namespace stile::drivers {

bool set_option(int fd, int level, int name, int value);

// Above the system's limit only with CAP_NET_ADMIN; otherwise as much as the limit grants.
void set_receive_buffer(int fd, std::size_t octets);
void set_send_buffer(int fd, std::size_t octets);

// A UDP socket of the address's family, with SO_REUSEPORT as wished; not bound yet.
std::expected<FileDescriptor, OsError> make_udp_socket(const SocketAddress& local,
                                                       UdpOptions::ReusePort reuse_port);

// IP_PKTINFO of the family: which address of ours a datagram was sent to.
bool report_destination(int fd, AddressFamily family);
// IP_RECVERR of the family.
bool report_icmp_errors(int fd, AddressFamily family);

// The next ICMP error that waits at the socket, if any. Reading it also clears the error that the
// socket's next call would be told.
enum class ErrorRead : std::uint8_t { None, Icmp, Other };
ErrorRead read_error_queue(int fd, IcmpError& error);

}  // namespace stile::drivers
