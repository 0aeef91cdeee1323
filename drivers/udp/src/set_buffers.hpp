// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "native_endpoint.hpp"

#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket_set.hpp>

#include <sys/socket.h>
#include <array>
#include <memory>
#include <vector>

namespace stile::drivers {

// Where the sockets of a set receive: the messages of one round one behind another, so that what
// was made of them can leave together.
class SetBuffers {
public:
    using Arrival = UdpSocketSet::Arrival;

    SetBuffers();

    // Buffers that hold nothing yet.
    std::size_t left() const { return capacity - used_; }
    // All are free again: what they hold is not looked at any more.
    void reset() { used_ = 0; }

    // The number of messages, or -1 with errno. Requires: 1 <= most <= left(),
    // most_messages_a_call.
    int receive(int fd, std::size_t most);
    // What the last receive() brought; `local` is the socket's own address. Truncated messages are
    // left out and counted.
    std::span<const Arrival> arrivals(int messages, const SocketAddress& local,
                                      UdpSetCounters& counters);

    // Writes the prefix in front of the payload, if that starts a buffer and nothing has been
    // written there before. The whole, or nothing.
    BytesView prepend(BytesView prefix, BytesView payload);

private:
    static constexpr std::size_t capacity = most_messages_a_round;
    // Not a power of two, so that the first octets of the buffers do not share one cache set.
    static constexpr std::size_t stride = UdpSocketSet::headroom + most_octets_a_message + 320;

    struct alignas(cmsghdr) Control {
        std::array<std::byte, 64> octets;
    };
    struct Message {
        iovec vector{};
        NativeEndpoint name{};
        Control control;
        bool has_prefix = false;
    };

    std::unique_ptr<std::byte[]> memory_;
    std::vector<mmsghdr> headers_;
    std::vector<Message> messages_;
    std::array<Arrival, most_messages_a_call> arrivals_{};
    std::size_t used_ = 0;
};

}  // namespace stile::drivers
