// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "native_endpoint.hpp"

#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket_set.hpp>

#include <sys/socket.h>
#include <array>

namespace stile::drivers {

// Datagrams of one socket to one destination, gathered until they leave in one call: each of the
// first one's size but the last, which may be shorter.
class SendRun {
public:
    using Departure = UdpSocketSet::Departure;

    bool empty() const { return count_ == 0; }
    std::size_t count() const { return count_; }
    std::size_t segment_size() const { return segment_size_; }
    UdpSocketSet::Id from() const { return from_; }
    UdpSocketSet::Fragmentation fragmentation() const { return fragmentation_; }

    // Requires: empty().
    void begin(const Departure& departure, bool choose_source);
    // False, and nothing taken, where the datagram cannot be of this run.
    bool extend(const Departure& departure);
    void clear() { count_ = 0; }

    // One datagram, which a plain sendto can send if it is in one piece.
    bool is_plain() const { return count_ == 1 && !choose_source_ && !padded_; }
    // Requires: is_plain().
    bool has_prefix() const { return vectors_used_ == 2; }
    BytesView prefix() const;
    BytesView payload() const;
    const NativeEndpoint& destination() const { return destination_; }
    socklen_t destination_size() const { return destination_size_; }

    // All datagrams in one message; with UDP_SEGMENT where they are several.
    const msghdr& whole();
    // One of them. Requires: index < count().
    const msghdr& single(std::size_t index);

private:
    void add(const Departure& departure);
    void begin_message(std::size_t first_vector, std::size_t vectors);
    void append_control(int level, int type, const void* value, std::size_t size);

    struct alignas(cmsghdr) Control {
        std::array<std::byte, 96> octets;
    };

    UdpSocketSet::Id from_;
    Path path_;
    UdpSocketSet::Fragmentation fragmentation_ = UdpSocketSet::Fragmentation::Allowed;
    bool choose_source_ = false;
    bool closed_ = false;  // a shorter one was taken
    bool padded_ = false;
    std::size_t count_ = 0;
    std::size_t segment_size_ = 0;
    std::size_t octets_ = 0;
    NativeEndpoint destination_{};
    socklen_t destination_size_ = 0;
    std::size_t vectors_used_ = 0;
    std::array<iovec, 3 * most_segments_a_send> vectors_{};
    std::array<std::size_t, most_segments_a_send + 1> first_vector_{};
    std::array<std::array<std::byte, UdpSocketSet::most_prefix>, most_segments_a_send> prefixes_;
    msghdr message_{};
    Control control_;
};

}  // namespace stile::drivers
