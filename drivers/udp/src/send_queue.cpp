// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "send_queue.hpp"

#include <stile/base/assert.hpp>

#include <netinet/udp.h>
#include <algorithm>

namespace stile::drivers {
namespace {

std::size_t size_of(const SendQueue::Departure& departure) {
    return departure.prefix.size() + departure.payload.size() + departure.padding;
}

// The kernel only reads it; iovec has no const form.
iovec vector_of(BytesView octets) { return {const_cast<std::byte*>(octets.data()), octets.size()}; }

}  // namespace

SendQueue::SendQueue()
    : segments_(most_waiting),
      runs_(most_waiting),
      headers_(most_waiting),
      controls_(most_waiting),
      vectors_(most_vectors) {}

bool SendQueue::has(UdpSocketSet::Id socket) const {
    const auto waiting = std::span{runs_}.first(runs_used_);
    return std::ranges::find(waiting, socket, &Run::from) != waiting.end();
}

// A collision costs a merge, and nothing else.
SendQueue::Index& SendQueue::newest_of(const Departure& departure) {
    const SocketAddress& remote = departure.path.remote;
    std::uint32_t word = 0;
    std::memcpy(&word, remote.ip.octets().last(sizeof word).data(), sizeof word);
    const std::uint32_t mixed = (departure.from.place * 0x9E3779B1U) ^
                                (remote.port.value * 0x85EBCA6BU) ^ (word * 0xC2B2AE35U);
    return newest_[mixed >> (32U - hash_bits)];
}

void SendQueue::add(const Departure& departure, Source source, Merging merging) {
    STILE_ASSERT(!full());
    const IpAddress& local = departure.path.local.ip;
    std::optional<IpAddress> chosen;
    if (source == Source::OfPath && !local.is_unspecified() &&
        local.family() == departure.path.remote.ip.family()) {
        chosen = local;
    }
    Index& newest = newest_of(departure);
    if (merging == Merging::On && newest < runs_used_ && extend(runs_[newest], departure, chosen)) {
        return;
    }
    newest = static_cast<Index>(runs_used_);
    const std::size_t size = size_of(departure);
    Run& run = runs_[runs_used_++];
    run.from = departure.from;
    run.remote = departure.path.remote;
    run.source = chosen;
    run.fragmentation = departure.fragmentation;
    run.open = merging == Merging::On && size != 0;
    run.first = run.last = put(departure);
    run.count = 1;
    run.segment_size = run.octets = size;
}

bool SendQueue::extend(Run& run, const Departure& departure,
                       const std::optional<IpAddress>& source) {
    const std::size_t size = size_of(departure);
    if (!run.open || departure.from != run.from || departure.path.remote != run.remote ||
        source != run.source || departure.fragmentation != run.fragmentation) {
        return false;
    }
    if (size > run.segment_size || size == 0 || run.count == most_segments_a_send ||
        run.octets + size > most_octets_a_send) {
        return false;
    }
    const Index at = put(departure);
    segments_[run.last].next = at;
    run.last = at;
    ++run.count;
    run.octets += size;
    run.open = size == run.segment_size;
    return true;
}

SendQueue::Index SendQueue::put(const Departure& departure) {
    STILE_ASSERT(departure.prefix.size() <= UdpSocketSet::most_prefix);
    STILE_ASSERT(departure.padding <= UdpSocketSet::most_padding);
    Segment& segment = segments_[used_];
    if (!departure.prefix.empty()) {
        std::memcpy(segment.prefix.data(), departure.prefix.data(), departure.prefix.size());
    }
    segment.prefix_size = static_cast<std::uint8_t>(departure.prefix.size());
    segment.payload = departure.payload;
    segment.padding = static_cast<std::uint8_t>(departure.padding);
    return static_cast<Index>(used_++);
}

std::size_t SendQueue::sendable_together(std::size_t run) const {
    std::size_t end = run + 1;
    while (end < runs_used_ && runs_[end].from == runs_[run].from &&
           runs_[end].fragmentation == runs_[run].fragmentation) {
        ++end;
    }
    return end - run;
}

void SendQueue::build() {
    vectors_used_ = 0;
    for (std::size_t run = 0; run < runs_used_; ++run) build(run);
}

void SendQueue::build(std::size_t index) {
    static std::array<std::byte, UdpSocketSet::most_padding> zeros{};
    Run& run = runs_[index];
    msghdr& message = headers_[index].msg_hdr;
    message = {};
    message.msg_name = &run.destination;
    message.msg_namelen = fill_endpoint(run.destination, run.remote);
    message.msg_iov = &vectors_[vectors_used_];
    const std::size_t first_vector = vectors_used_;
    Index at = run.first;
    for (std::size_t i = 0; i < run.count; ++i) {
        Segment& segment = segments_[at];
        if (segment.prefix_size != 0) {
            vectors_[vectors_used_++] = {segment.prefix.data(), segment.prefix_size};
        }
        vectors_[vectors_used_++] = vector_of(segment.payload);
        if (segment.padding != 0) vectors_[vectors_used_++] = {zeros.data(), segment.padding};
        at = segment.next;
    }
    message.msg_iovlen = vectors_used_ - first_vector;
    if (run.source) {
        message.msg_control = &controls_[index];
        const BytesView octets = run.source->octets();
        if (run.source->is_v4()) {
            in_pktinfo info{};
            std::memcpy(&info.ipi_spec_dst, octets.data(), sizeof info.ipi_spec_dst);
            append_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        } else {
            in6_pktinfo info{};
            std::memcpy(&info.ipi6_addr, octets.data(), sizeof info.ipi6_addr);
            append_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        }
    }
    if (run.count > 1) {
        message.msg_control = &controls_[index];
        const auto size = static_cast<std::uint16_t>(run.segment_size);
        append_control(message, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
}

const msghdr& SendQueue::single(std::size_t index, std::size_t datagram) {
    const Run& run = runs_[index];
    const msghdr& whole = headers_[index].msg_hdr;
    single_ = whole;
    Index at = run.first;
    for (; datagram > 0; --datagram) {
        single_.msg_iov += segments_[at].vectors();
        at = segments_[at].next;
    }
    single_.msg_iovlen = segments_[at].vectors();
    // What chooses the source comes first, and UDP_SEGMENT is left out.
    if (run.count > 1) {
        single_.msg_controllen -= CMSG_SPACE(sizeof(std::uint16_t));
        if (single_.msg_controllen == 0) single_.msg_control = nullptr;
    }
    return single_;
}

void SendQueue::append_control(msghdr& message, int level, int type, const void* value,
                               std::size_t size) {
    STILE_ASSERT(message.msg_controllen + CMSG_SPACE(size) <= sizeof(Control));
    std::byte* const place = static_cast<std::byte*>(message.msg_control) + message.msg_controllen;
    std::memset(place, 0, CMSG_SPACE(size));
    auto* const header = reinterpret_cast<cmsghdr*>(place);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), value, size);
    message.msg_controllen += CMSG_SPACE(size);
}

}  // namespace stile::drivers
