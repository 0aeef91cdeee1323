// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "send_batch.hpp"

#include <stile/base/assert.hpp>
#include <stile/drivers/native_address.hpp>

#include <netinet/udp.h>
#include <cstring>
#include <memory>

namespace stile::drivers {
namespace {

std::size_t whole_size(const Outgoing& outgoing) {
    return outgoing.prefix.size() + outgoing.payload.size();
}

iovec as_vector(BytesView bytes) {
    // The kernel only reads it; iovec has no const form.
    return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

template <class T>
void append_control(msghdr& message, std::size_t capacity, int level, int type, const T& value) {
    const std::size_t used = message.msg_controllen;
    STILE_ASSERT(used + CMSG_SPACE(sizeof value) <= capacity);
    auto* place = static_cast<std::byte*>(message.msg_control) + used;
    std::memset(place, 0, CMSG_SPACE(sizeof value));
    auto* header = reinterpret_cast<cmsghdr*>(place);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    message.msg_controllen = used + CMSG_SPACE(sizeof value);
}

void append_source(msghdr& message, std::size_t capacity, const IpAddress& source) {
    if (source.is_v4()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, source.octets().data(), sizeof info.ipi_spec_dst);
        append_control(message, capacity, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, source.octets().data(), sizeof info.ipi6_addr);
        append_control(message, capacity, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

}  // namespace

SendBatch& SendBatch::of_this_thread() {
    thread_local const auto batch = std::make_unique<SendBatch>();
    return *batch;
}

std::size_t SendBatch::fill(std::span<const Outgoing> batch, const SendRules& rules) {
    size_ = 0;
    vectors_used_ = 0;
    std::size_t next = 0;
    while (next < batch.size() && size_ < headers_.size()) {
        const std::size_t vector_begin = vectors_used_;
        const Extent extent = gather(batch, next, rules);
        finish_message(batch[next].path, extent, vector_begin, rules);
        next += extent.count;
    }
    return next;
}

SendBatch::Extent SendBatch::gather(std::span<const Outgoing> batch, std::size_t first,
                                    const SendRules& rules) {
    const auto add = [this](const Outgoing& outgoing) {
        if (!outgoing.prefix.empty()) vectors_[vectors_used_++] = as_vector(outgoing.prefix);
        vectors_[vectors_used_++] = as_vector(outgoing.payload);
    };
    const Outgoing& leader = batch[first];
    const std::size_t size = whole_size(leader);
    add(leader);
    Extent extent{.first = first, .count = 1, .datagrams = 1};
    if (leader.segment_size) {
        STILE_ASSERT(*leader.segment_size > 0 && leader.prefix.empty());
        extent.datagrams = (size + *leader.segment_size - 1) / *leader.segment_size;
        STILE_ASSERT(extent.datagrams <= most_segments_a_send && size <= most_octets_a_send);
        if (extent.datagrams > 1) extent.segment_size = *leader.segment_size;
        return extent;
    }
    if (rules.segmentation == UdpSocket::Segmentation::Refused || size == 0) return extent;
    std::size_t total = size;
    while (first + extent.count < batch.size() && extent.datagrams < most_segments_a_send) {
        const Outgoing& follower = batch[first + extent.count];
        const std::size_t follower_size = whole_size(follower);
        // Only the last segment may be shorter.
        if (follower.segment_size || follower_size == 0 || follower_size > size) break;
        if (follower.path != leader.path || total + follower_size > most_octets_a_send) break;
        add(follower);
        total += follower_size;
        ++extent.count;
        ++extent.datagrams;
        if (follower_size < size) break;
    }
    if (extent.datagrams > 1) extent.segment_size = size;
    return extent;
}

void SendBatch::finish_message(const Path& path, const Extent& extent, std::size_t vector_begin,
                               const SendRules& rules) {
    extents_[size_] = extent;
    const NativeAddress remote = to_native(path.remote);
    std::memcpy(&names_[size_], &remote.storage, remote.size);
    msghdr& message = headers_[size_].msg_hdr;
    message = {};
    message.msg_name = &names_[size_];
    message.msg_namelen = remote.size;
    message.msg_iov = &vectors_[vector_begin];
    message.msg_iovlen = vectors_used_ - vector_begin;
    message.msg_control = &controls_[size_];
    message.msg_controllen = 0;
    const std::size_t capacity = sizeof(Control);
    if (rules.choose_source && !path.local.ip.is_unspecified() &&
        path.local.ip.family() == path.remote.ip.family()) {
        append_source(message, capacity, path.local.ip);
    }
    if (extent.segment_size != 0) {
        append_control(message, capacity, SOL_UDP, UDP_SEGMENT,
                       static_cast<std::uint16_t>(extent.segment_size));
    }
    ++size_;
}

}  // namespace stile::drivers
