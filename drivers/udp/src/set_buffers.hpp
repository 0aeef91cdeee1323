// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "native_endpoint.hpp"

#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket_set.hpp>

#include <sys/socket.h>
#include <array>
#include <memory>

namespace stile::drivers {

// Where the sockets of a set receive: one message with recvmsg, or several with recvmmsg.
class SetBuffers {
public:
    using Arrival = UdpSocketSet::Arrival;

    SetBuffers();

    // The number of messages, or -1 with errno.
    int receive_one(int fd);
    int receive_many(int fd);
    // What receive_... brought; `local` is the socket's own address. Truncated messages are left
    // out and counted.
    std::span<const Arrival> arrivals(int messages, const SocketAddress& local,
                                      UdpSetCounters& counters);

    // True where the octets in front of the payload may be overwritten.
    bool starts_a_buffer(BytesView payload) const {
        const auto offset = static_cast<std::size_t>(payload.data() - memory_.get());
        // Also false for what is not in here at all: the difference is unsigned, and huge.
        return offset < memory_octets && offset % stride == UdpSocketSet::headroom;
    }

private:
    // Not a power of two, so that the first octets of the buffers do not share one cache set.
    static constexpr std::size_t stride = UdpSocketSet::headroom + most_octets_a_message + 320;
    static constexpr std::size_t memory_octets = stride * most_messages_a_call;

    struct alignas(cmsghdr) Control {
        std::array<std::byte, 64> octets;
    };

    std::unique_ptr<std::byte[]> memory_;
    std::array<mmsghdr, most_messages_a_call> headers_{};
    std::array<iovec, most_messages_a_call> vectors_{};
    std::array<NativeEndpoint, most_messages_a_call> names_{};
    std::array<Control, most_messages_a_call> controls_{};
    std::array<Arrival, most_messages_a_call> arrivals_{};
};

}  // namespace stile::drivers
