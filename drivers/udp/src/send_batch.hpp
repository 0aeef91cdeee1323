// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <array>

namespace stile::drivers {

// How a batch may leave through a socket.
struct SendRules {
    UdpSocket::Segmentation segmentation = UdpSocket::Segmentation::Works;
    bool choose_source = false;  // bound to a wildcard: path.local is told to the kernel
};

// The headers of one sendmmsg call, filled from the front of a batch. Points into the batch's
// payloads; one a thread.
class SendBatch {
public:
    static SendBatch& of_this_thread();

    // Fills as many messages as fit and returns how many of the batch they carry.
    std::size_t fill(std::span<const Outgoing> batch, const SendRules& rules);

    std::size_t size() const { return size_; }
    mmsghdr* headers() { return headers_.data(); }
    // Datagrams in, and first index in the batch of, one message.
    struct Extent {
        std::size_t first = 0;
        std::size_t count = 0;         // of the batch's entries
        std::size_t datagrams = 0;     // on the wire
        std::size_t segment_size = 0;  // 0: one datagram
    };
    const Extent& extent(std::size_t message) const { return extents_[message]; }

private:
    struct alignas(cmsghdr) Control {
        std::array<std::byte, 128> octets;
    };

    Extent gather(std::span<const Outgoing> batch, std::size_t first, const SendRules& rules);
    void finish_message(const Path& path, const Extent& extent, std::size_t vector_begin,
                        const SendRules& rules);

    // Two vectors a datagram: prefix and payload.
    static constexpr std::size_t most_vectors = 2 * most_segments_a_send * most_messages_a_call;

    std::array<mmsghdr, most_messages_a_call> headers_{};
    std::array<sockaddr_storage, most_messages_a_call> names_{};
    std::array<Control, most_messages_a_call> controls_{};
    std::array<Extent, most_messages_a_call> extents_{};
    std::array<iovec, most_vectors> vectors_{};
    std::size_t vectors_used_ = 0;
    std::size_t size_ = 0;
};

}  // namespace stile::drivers
