// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <array>
#include <memory>
#include <vector>

namespace stile::drivers {

// The buffers of one recvmmsg call. One a thread serves all of its sockets, because a relay has
// thousands and a batch lives only as long as the callback.
class ReceiveBatch {
public:
    ReceiveBatch();
    static ReceiveBatch& of_this_thread();

    // The number of messages, or -1 with errno.
    int receive(int fd);
    // Splits what was merged by the kernel. `local` is the socket's own address.
    std::span<const Datagram> split(int messages, const SocketAddress& local,
                                    UdpCounters& counters);

private:
    struct alignas(cmsghdr) Control {
        std::array<std::byte, 128> octets;
    };

    void prepare(std::size_t index);

    std::unique_ptr<std::byte[]> memory_;
    std::array<mmsghdr, most_messages_a_call> headers_{};
    std::array<iovec, most_messages_a_call> vectors_{};
    std::array<sockaddr_storage, most_messages_a_call> names_{};
    std::array<Control, most_messages_a_call> controls_{};
    std::vector<Datagram> datagrams_;
};

}  // namespace stile::drivers
