// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "native_endpoint.hpp"

#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket_set.hpp>

#include <sys/socket.h>
#include <array>
#include <vector>

namespace stile::drivers {

// Datagrams that wait for the end of a round. Those of one socket and one destination, each of the
// first one's size but the last, which may be shorter, are a run and leave as one message, also
// where others came between them. Runs leave in the order of their first datagrams, and a flow's
// newest run alone takes more: the datagrams of a flow stay in their order.
class SendQueue {
public:
    using Departure = UdpSocketSet::Departure;

    enum class Merging : std::uint8_t { Off, On };
    enum class Source : std::uint8_t { OfSocket, OfPath };  // OfPath: bound to a wildcard

    SendQueue();

    bool empty() const { return used_ == 0; }
    bool full() const { return used_ == most_waiting; }
    // Whether anything waits to leave from this socket.
    bool has(UdpSocketSet::Id socket) const;
    void clear() { used_ = runs_used_ = 0; }

    // Requires: !full(). The prefix is copied, the payload is not.
    void add(const Departure& departure, Source source, Merging merging);

    // From the first add() after it on they are not valid any more.
    void build();
    std::size_t runs() const { return runs_used_; }
    // How many runs from this one on one call may send: of one socket, with one fragmentation.
    std::size_t sendable_together(std::size_t run) const;
    UdpSocketSet::Id from(std::size_t run) const { return runs_[run].from; }
    UdpSocketSet::Fragmentation fragmentation(std::size_t run) const {
        return runs_[run].fragmentation;
    }
    std::size_t count(std::size_t run) const { return runs_[run].count; }
    std::size_t segment_size(std::size_t run) const { return runs_[run].segment_size; }
    // All datagrams of a run in one message; with UDP_SEGMENT where they are several.
    mmsghdr& message(std::size_t run) { return headers_[run]; }
    // One datagram of it. Requires: index < count(run). Valid until the next call.
    const msghdr& single(std::size_t run, std::size_t index);

private:
    static constexpr std::size_t most_waiting = most_messages_a_round;
    static constexpr std::size_t most_vectors = 3 * most_waiting;
    static constexpr unsigned hash_bits = 9;
    using Index = std::uint16_t;

    struct Segment {
        std::array<std::byte, UdpSocketSet::most_prefix> prefix;
        BytesView payload;
        std::uint8_t prefix_size = 0;
        std::uint8_t padding = 0;
        Index next = 0;  // of the same run

        std::size_t vectors() const {
            return std::size_t{1} + (prefix_size != 0 ? 1 : 0) + (padding != 0 ? 1 : 0);
        }
    };
    struct Run {
        UdpSocketSet::Id from;
        SocketAddress remote;
        std::optional<IpAddress> source;
        UdpSocketSet::Fragmentation fragmentation = UdpSocketSet::Fragmentation::Allowed;
        bool open = true;  // takes more
        Index first = 0;   // segments
        Index last = 0;
        std::size_t count = 0;
        std::size_t segment_size = 0;
        std::size_t octets = 0;
        NativeEndpoint destination{};
    };
    struct alignas(cmsghdr) Control {
        std::array<std::byte, 96> octets;
    };

    Index& newest_of(const Departure& departure);
    bool extend(Run& run, const Departure& departure, const std::optional<IpAddress>& source);
    Index put(const Departure& departure);
    void build(std::size_t run);
    void append_control(msghdr& message, int level, int type, const void* value, std::size_t size);

    std::size_t used_ = 0;
    std::size_t runs_used_ = 0;
    std::size_t vectors_used_ = 0;
    std::vector<Segment> segments_;
    std::vector<Run> runs_;
    std::vector<mmsghdr> headers_;
    std::vector<Control> controls_;
    std::vector<iovec> vectors_;
    msghdr single_{};
    // By flow, its newest run; also old numbers, which run out of range or are of another flow.
    std::array<Index, 1U << hash_bits> newest_{};
};

}  // namespace stile::drivers
