// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "send_run.hpp"

#include <stile/base/assert.hpp>

#include <netinet/udp.h>

namespace stile::drivers {
namespace {

std::size_t size_of(const SendRun::Departure& departure) {
    return departure.prefix.size() + departure.payload.size() + departure.padding;
}

BytesView as_bytes(const iovec& vector) {
    return {static_cast<const std::byte*>(vector.iov_base), vector.iov_len};
}

}  // namespace

void SendRun::begin(const Departure& departure, bool choose_source) {
    from_ = departure.from;
    path_ = departure.path;
    fragmentation_ = departure.fragmentation;
    choose_source_ = choose_source && !departure.path.local.ip.is_unspecified() &&
                     departure.path.local.ip.family() == departure.path.remote.ip.family();
    closed_ = false;
    padded_ = false;
    segment_size_ = size_of(departure);
    octets_ = 0;
    vectors_used_ = 0;
    destination_size_ = fill_endpoint(destination_, departure.path.remote);
    add(departure);
}

bool SendRun::extend(const Departure& departure) {
    const std::size_t size = size_of(departure);
    if (departure.from != from_ || closed_ || size > segment_size_ || size == 0) return false;
    if (count_ == most_segments_a_send || octets_ + size > most_octets_a_send) return false;
    if (departure.path.remote != path_.remote || departure.fragmentation != fragmentation_) {
        return false;
    }
    if (choose_source_ && departure.path.local != path_.local) return false;
    add(departure);
    closed_ = size < segment_size_;
    return true;
}

void SendRun::add(const Departure& departure) {
    first_vector_[count_] = vectors_used_;
    if (!departure.prefix.empty()) {
        STILE_ASSERT(departure.prefix.size() <= UdpSocketSet::most_prefix);
        auto& prefix = prefixes_[count_];
        std::memcpy(prefix.data(), departure.prefix.data(), departure.prefix.size());
        vectors_[vectors_used_++] = {prefix.data(), departure.prefix.size()};
    }
    // The kernel only reads it; iovec has no const form.
    vectors_[vectors_used_++] = {const_cast<std::byte*>(departure.payload.data()),
                                 departure.payload.size()};
    if (departure.padding != 0) {
        static std::array<std::byte, UdpSocketSet::most_padding> zeros{};
        STILE_ASSERT(departure.padding <= zeros.size());
        vectors_[vectors_used_++] = {zeros.data(), departure.padding};
        padded_ = true;
    }
    octets_ += size_of(departure);
    first_vector_[++count_] = vectors_used_;
}

BytesView SendRun::prefix() const { return as_bytes(vectors_[0]); }
BytesView SendRun::payload() const { return as_bytes(vectors_[vectors_used_ - 1]); }

const msghdr& SendRun::whole() {
    begin_message(0, vectors_used_);
    if (count_ > 1) {
        const auto size = static_cast<std::uint16_t>(segment_size_);
        append_control(SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    return message_;
}

const msghdr& SendRun::single(std::size_t index) {
    begin_message(first_vector_[index], first_vector_[index + 1] - first_vector_[index]);
    return message_;
}

void SendRun::begin_message(std::size_t first_vector, std::size_t vectors) {
    message_ = {};
    message_.msg_name = &destination_;
    message_.msg_namelen = destination_size_;
    message_.msg_iov = &vectors_[first_vector];
    message_.msg_iovlen = vectors;
    if (!choose_source_) return;
    const BytesView octets = path_.local.ip.octets();
    if (path_.local.ip.is_v4()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, octets.data(), sizeof info.ipi_spec_dst);
        append_control(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, octets.data(), sizeof info.ipi6_addr);
        append_control(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

void SendRun::append_control(int level, int type, const void* value, std::size_t size) {
    std::byte* const place = control_.octets.data() + message_.msg_controllen;
    STILE_ASSERT(message_.msg_controllen + CMSG_SPACE(size) <= sizeof control_);
    std::memset(place, 0, CMSG_SPACE(size));
    auto* const header = reinterpret_cast<cmsghdr*>(place);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), value, size);
    message_.msg_control = control_.octets.data();
    message_.msg_controllen += CMSG_SPACE(size);
}

}  // namespace stile::drivers
