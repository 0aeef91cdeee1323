// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "set_buffers.hpp"

#include <netinet/udp.h>

namespace stile::drivers {
namespace {

template <class T>
T read_control(const cmsghdr& header) {
    T value;
    std::memcpy(&value, CMSG_DATA(&header), sizeof value);
    return value;
}

void read_ancillary(msghdr& message, UdpSocketSet::Arrival& arrival) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
            arrival.segment_size = static_cast<std::size_t>(read_control<int>(*header));
        } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            const auto info = read_control<in_pktinfo>(*header);
            arrival.path.local.ip = IpAddress::v4(ntohl(info.ipi_addr.s_addr));
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            const auto info = read_control<in6_pktinfo>(*header);
            arrival.path.local.ip =
                IpAddress::from_octets(std::as_bytes(std::span{&info.ipi6_addr, 1}));
        }
    }
}

}  // namespace

SetBuffers::SetBuffers()
    // Not initialised: pages that no datagram reaches are never touched.
    : memory_(new std::byte[memory_octets]) {
    for (std::size_t i = 0; i < headers_.size(); ++i) {
        vectors_[i] = {memory_.get() + i * stride + UdpSocketSet::headroom, most_octets_a_message};
        msghdr& header = headers_[i].msg_hdr;
        header.msg_name = &names_[i];
        header.msg_namelen = sizeof names_[i];
        header.msg_iov = &vectors_[i];
        header.msg_iovlen = 1;
        header.msg_control = &controls_[i];
        header.msg_controllen = sizeof controls_[i];
    }
}

int SetBuffers::receive_one(int fd) {
    const ssize_t octets = ::recvmsg(fd, &headers_[0].msg_hdr, MSG_DONTWAIT);
    if (octets < 0) return -1;
    headers_[0].msg_len = static_cast<unsigned>(octets);
    return 1;
}

int SetBuffers::receive_many(int fd) {
    return ::recvmmsg(fd, headers_.data(), most_messages_a_call, MSG_DONTWAIT, nullptr);
}

std::span<const SetBuffers::Arrival> SetBuffers::arrivals(int messages, const SocketAddress& local,
                                                          UdpSetCounters& counters) {
    std::size_t used = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(messages); ++i) {
        msghdr& header = headers_[i].msg_hdr;
        const std::size_t octets = headers_[i].msg_len;
        const bool truncated = (header.msg_flags & MSG_TRUNC) != 0;
        if (truncated) {
            ++counters.truncated;
        } else {
            Arrival& arrival = arrivals_[used++];
            arrival.path.local = local;
            arrival.path.remote = read_endpoint(names_[i]);
            arrival.payload = {static_cast<std::byte*>(vectors_[i].iov_base), octets};
            arrival.segment_size = octets;
            if (header.msg_controllen != 0) read_ancillary(header, arrival);
            counters.received += arrival.segment_size == octets
                                     ? 1
                                     : (octets + arrival.segment_size - 1) / arrival.segment_size;
        }
        // The kernel has written how much of these it used.
        header.msg_namelen = sizeof names_[i];
        header.msg_controllen = sizeof controls_[i];
    }
    return std::span{arrivals_}.first(used);
}

}  // namespace stile::drivers
