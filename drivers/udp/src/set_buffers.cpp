// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "set_buffers.hpp"

#include "packet_info.hpp"

#include <stile/base/assert.hpp>

#include <netinet/udp.h>
#include <algorithm>
#include <utility>

namespace stile::drivers {
namespace {

void read_ancillary(msghdr& message, UdpSocketSet::Arrival& arrival) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
            arrival.segment_size = static_cast<std::size_t>(read_control<int>(*header));
        } else if (const auto info = read_packet_info(*header)) {
            arrival.path.local.ip = info->destination;
        }
    }
}

}  // namespace

SetBuffers::SetBuffers()
    // Not initialised: pages that no datagram reaches are never touched.
    : memory_(new std::byte[stride * capacity]), headers_(capacity), messages_(capacity) {
    for (std::size_t i = 0; i < capacity; ++i) {
        Message& message = messages_[i];
        message.vector = {memory_.get() + i * stride + UdpSocketSet::headroom,
                          most_octets_a_message};
        msghdr& header = headers_[i].msg_hdr;
        header.msg_name = &message.name;
        header.msg_namelen = sizeof message.name;
        header.msg_iov = &message.vector;
        header.msg_iovlen = 1;
        header.msg_control = &message.control;
        header.msg_controllen = sizeof message.control;
    }
}

int SetBuffers::receive(int fd, std::size_t most) {
    STILE_ASSERT(most >= 1 && most <= std::min(left(), most_messages_a_call));
    mmsghdr& first = headers_[used_];
    if (most > 1) {
        return ::recvmmsg(fd, &first, static_cast<unsigned>(most), MSG_DONTWAIT, nullptr);
    }
    const ssize_t octets = ::recvmsg(fd, &first.msg_hdr, MSG_DONTWAIT);
    if (octets < 0) return -1;
    first.msg_len = static_cast<unsigned>(octets);
    return 1;
}

std::span<const SetBuffers::Arrival> SetBuffers::arrivals(int messages, const SocketAddress& local,
                                                          UdpSetCounters& counters) {
    std::size_t count = 0;
    const std::size_t end = used_ + static_cast<std::size_t>(messages);
    for (; used_ < end; ++used_) {
        msghdr& header = headers_[used_].msg_hdr;
        Message& message = messages_[used_];
        const std::size_t octets = headers_[used_].msg_len;
        const bool truncated = (header.msg_flags & MSG_TRUNC) != 0;
        message.has_prefix = false;
        if (truncated) {
            ++counters.truncated;
        } else {
            Arrival& arrival = arrivals_[count++];
            arrival.path.local = local;
            arrival.path.remote = read_endpoint(message.name);
            arrival.payload = {static_cast<std::byte*>(message.vector.iov_base), octets};
            arrival.segment_size = octets;
            if (header.msg_controllen != 0) read_ancillary(header, arrival);
            counters.received += arrival.segment_size == octets
                                     ? 1
                                     : (octets + arrival.segment_size - 1) / arrival.segment_size;
        }
        // The kernel has written how much of these it used.
        header.msg_namelen = sizeof message.name;
        header.msg_controllen = sizeof message.control;
    }
    return std::span{arrivals_}.first(count);
}

BytesView SetBuffers::prepend(BytesView prefix, BytesView payload) {
    const auto offset = static_cast<std::size_t>(payload.data() - memory_.get());
    // Also what is not in here at all: the difference is unsigned, and huge.
    if (offset >= stride * capacity || offset % stride != UdpSocketSet::headroom) return {};
    if (std::exchange(messages_[offset / stride].has_prefix, true)) return {};
    std::byte* const start = memory_.get() + offset - prefix.size();
    std::memcpy(start, prefix.data(), prefix.size());
    return {start, prefix.size() + payload.size()};
}

}  // namespace stile::drivers
