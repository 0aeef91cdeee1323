// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/os_error.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace stile::drivers {

// A received datagram; the payload is valid, and may be altered in place, during the callback.
struct Datagram {
    Path path;
    MutableBytes payload;
};

// Something to send. With a segment size the payload is several datagrams of that size, the last of
// which may be shorter. `prefix` precedes the payload of a single datagram (a ChannelData header).
// path.local chooses the source address where the socket is bound to a wildcard; the unspecified
// address leaves it to the kernel.
struct Outgoing {
    Path path;
    BytesView payload;
    std::optional<std::size_t> segment_size;
    BytesView prefix;
};

// An ICMP error about a datagram that was sent. RFC 8656 Section 18.13 forwards it to TURN clients.
struct IcmpError {
    SocketAddress destination;
    std::uint8_t type = 0;  // of ICMP or ICMPv6, by the destination's family
    std::uint8_t code = 0;
    std::uint32_t data = 0;  // the next hop's MTU where the type carries one
};

struct UdpOptions {
    enum class ReusePort : std::uint8_t { No, Yes };
    enum class Offload : std::uint8_t { Off, Automatic };
    // Allowed: the kernel fragments what is too large. Probe: "don't fragment" is set and the
    // kernel's path MTU is not obeyed, as path MTU discovery by the application wants it.
    enum class Fragmentation : std::uint8_t { Allowed, Probe };
    enum class IcmpErrors : std::uint8_t { Ignored, Reported };

    ReusePort reuse_port = ReusePort::No;
    Offload offload = Offload::Automatic;  // UDP_SEGMENT and UDP_GRO
    Fragmentation fragmentation = Fragmentation::Allowed;
    IcmpErrors icmp_errors = IcmpErrors::Ignored;
    std::size_t receive_buffer = 4'194'304;  // octets asked of the kernel; see granted below
    std::size_t send_buffer = 1'048'576;
};

struct UdpCounters {
    std::uint64_t received = 0;
    std::uint64_t receive_calls = 0;
    std::uint64_t sent = 0;
    std::uint64_t send_calls = 0;
    std::uint64_t queue_drops = 0;  // the kernel's buffer and our queue were full
    std::uint64_t send_errors = 0;  // too large, no route, refused by a firewall
    std::uint64_t truncated = 0;    // larger than any buffer of ours: dropped
};

// A bound UDP socket. IPv6 ones take no IPv4. What ICMP says never closes or stops it. Sending
// never blocks and never fails to the caller: a datagram that cannot leave is lost and counted, as
// the network would lose it.
class UdpSocket {
public:
    // Once a batch. May destroy the socket.
    using OnDatagrams = std::move_only_function<void(std::span<const Datagram>)>;

    // Port 0 chooses a free one.
    static std::expected<std::unique_ptr<UdpSocket>, OsError> open(Loop& loop, SocketAddress local,
                                                                   const UdpOptions& options = {});
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;
    ~UdpSocket();

    // Receives nothing before this is called.
    void on_datagrams(OnDatagrams callback);
    // After blocked() was true and everything that was queued has left.
    void on_writable(Task callback);
    void on_icmp_error(std::move_only_function<void(const IcmpError&)> callback);

    void send(const Outgoing& outgoing);
    void send(const Transmit& transmit) { send(Outgoing{transmit.path, transmit.payload, {}, {}}); }
    // In order. Neighbours of one path and one size leave as one segmented send where possible.
    void send_batch(std::span<const Outgoing> batch);
    // True while datagrams wait for the kernel: a sender with a window of its own should pause.
    bool blocked() const;

    // For the datagrams sent from here on: TURN's DONT-FRAGMENT is a matter of each datagram.
    void set_fragmentation(UdpOptions::Fragmentation fragmentation);

    SocketAddress local_address() const;
    std::size_t granted_receive_buffer() const;
    const UdpCounters& counters() const;
    enum class Segmentation : std::uint8_t { Works, Refused };
    Segmentation segmentation() const;

private:
    struct Impl;
    explicit UdpSocket(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

// The local address from which the kernel would send to this destination; nothing is sent.
std::expected<IpAddress, OsError> source_address_for(SocketAddress destination);

}  // namespace stile::drivers
