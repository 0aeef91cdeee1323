// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.hpp"

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/native_address.hpp>

#include <cstdint>

namespace stile::bench {

// A UDP socket in the network namespace at this path, or in ours where it is empty.
drivers::FileDescriptor open_udp(const std::string& network_namespace, const SocketAddress& local);
void connect_to(int fd, const SocketAddress& remote);

// Sends one after the other what sendmsg made of `datagrams` equal ones; false where the kernel has
// no room for them now.
bool send_train(int fd, const SocketAddress* to, BytesView octets, std::size_t datagrams);

std::int64_t steady_now();  // nanoseconds
std::int64_t wall_now();
void sleep_until(std::int64_t steady);

}  // namespace stile::bench
