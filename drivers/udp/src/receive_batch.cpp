// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "receive_batch.hpp"

#include "packet_info.hpp"

#include <stile/drivers/native_address.hpp>

#include <netinet/udp.h>
#include <algorithm>

namespace stile::drivers {
namespace {

struct Ancillary {
    std::optional<IpAddress> local;
    std::size_t segment_size = 0;  // 0: not merged
};

Ancillary read_ancillary(msghdr& message) {
    Ancillary found;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
            found.segment_size = static_cast<std::size_t>(read_control<int>(*header));
        } else if (const auto info = read_packet_info(*header)) {
            found.local = info->destination;
        }
    }
    return found;
}

}  // namespace

ReceiveBatch::ReceiveBatch()
    // Not initialised: pages that no datagram reaches are never touched.
    : memory_(new std::byte[most_messages_a_call * most_octets_a_message]) {
    for (std::size_t i = 0; i < headers_.size(); ++i) prepare(i);
}

ReceiveBatch& ReceiveBatch::of_this_thread() {
    thread_local const auto batch = std::make_unique<ReceiveBatch>();
    return *batch;
}

void ReceiveBatch::prepare(std::size_t index) {
    vectors_[index] = {memory_.get() + index * most_octets_a_message, most_octets_a_message};
    msghdr& header = headers_[index].msg_hdr;
    header = {};
    header.msg_name = &names_[index];
    header.msg_namelen = sizeof names_[index];
    header.msg_iov = &vectors_[index];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[index];
    header.msg_controllen = sizeof controls_[index];
}

int ReceiveBatch::receive(int fd) {
    return ::recvmmsg(fd, headers_.data(), most_messages_a_call, MSG_DONTWAIT, nullptr);
}

std::span<const Datagram> ReceiveBatch::split(int messages, const SocketAddress& local,
                                              UdpCounters& counters) {
    datagrams_.clear();
    for (std::size_t i = 0; i < static_cast<std::size_t>(messages); ++i) {
        msghdr& header = headers_[i].msg_hdr;
        if ((header.msg_flags & MSG_TRUNC) != 0) {
            ++counters.truncated;
            prepare(i);
            continue;
        }
        const Ancillary ancillary = read_ancillary(header);
        const Path path{.local = {ancillary.local.value_or(local.ip), local.port},
                        .remote = from_native(names_[i])};
        MutableBytes rest{memory_.get() + i * most_octets_a_message, headers_[i].msg_len};
        const std::size_t segment =
            ancillary.segment_size == 0 ? rest.size() : ancillary.segment_size;
        do {
            const std::size_t size = std::min(segment, rest.size());
            datagrams_.push_back({path, rest.first(size)});
            rest = rest.subspan(size);
        } while (!rest.empty());
        prepare(i);
    }
    counters.received += datagrams_.size();
    return datagrams_;
}

}  // namespace stile::drivers
