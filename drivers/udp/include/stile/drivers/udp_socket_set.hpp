// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/os_error.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace stile::drivers {

struct UdpSetCounters {
    std::uint64_t received = 0;       // datagrams, merged ones counted singly
    std::uint64_t receive_calls = 0;  // system calls
    std::uint64_t sent = 0;
    std::uint64_t sent_messages = 0;  // merged datagrams counted as one
    std::uint64_t send_calls = 0;
    std::uint64_t send_drops = 0;   // the kernel's buffer was full: lost, as a network would do
    std::uint64_t send_errors = 0;  // too large, no route, refused by a firewall
    std::uint64_t truncated = 0;    // larger than any buffer of ours: dropped
};

// Thousands of bound UDP sockets of one thread: what a relay needs, where UdpSocket serves a
// program with a few. One epoll instance holds them all, the receive buffers are shared, and a
// socket costs no memory here but its place in a table (some sixty octets) beside the kernel's.
//
// IPv6 sockets take no IPv4. What ICMP says never closes or stops a socket. Sending never blocks
// and never fails to the caller, and nothing is queued: what cannot leave now is lost and counted.
class UdpSocketSet {
public:
    // Names a socket of this set, also after it was closed: a place is used again, an id is not.
    struct Id {
        std::uint32_t place = 0;
        std::uint32_t generation = 0;
        friend constexpr auto operator<=>(Id, Id) = default;
    };

    enum class Senders : std::uint8_t {
        Few,   // one datagram waits as a rule: the cheapest call for one
        Many,  // a server's port: many datagrams with one call
    };
    // When the kernel is told of buffers, offload and ICMP errors.
    enum class Setup : std::uint8_t {
        AtOnce,
        // What concerns receiving with the first arrival, what concerns sending before the first
        // departure: many sockets see neither.
        AtFirstUse,
    };
    struct Options {
        Senders senders = Senders::Few;
        Setup setup = Setup::AtOnce;
        UdpOptions::ReusePort reuse_port = UdpOptions::ReusePort::No;
        UdpOptions::IcmpErrors icmp_errors = UdpOptions::IcmpErrors::Ignored;
        UdpOptions::Offload offload = UdpOptions::Offload::Automatic;
        // Limits, not reservations: an idle socket uses neither. 256 kB hold a video's key frame
        // at ten times its size; see granted() of UdpSocket for what the system allows.
        std::size_t receive_buffer = 262'144;
        std::size_t send_buffer = 262'144;
        // Connected to it: the system gives this socket what comes from there, before others that
        // share the port, and nothing else.
        std::optional<SocketAddress> peer;
        // Comes back with all that arrives there.
        std::uint64_t tag = 0;
    };

    // Octets in front of each payload that a receiver may overwrite, for a header written in place.
    static constexpr std::size_t headroom = 64;

    // One datagram, or several of one sender that the kernel merged: all of `segment_size` octets
    // but the last, which may be shorter. Valid, and alterable in place, during the callback.
    struct Arrival {
        Path path;
        MutableBytes payload;
        std::size_t segment_size = 0;  // payload.size() or less; 0 exactly with an empty payload
    };

    enum class Fragmentation : std::uint8_t {
        Allowed,    // IPv4: the DF bit is clear
        Forbidden,  // DF set; what is larger than the link allows is lost and counted
    };
    // One datagram in its parts. path.local chooses the source where the socket is bound to a
    // wildcard; path.remote is the destination. The payload stays valid until flush().
    struct Departure {
        Id from;
        Path path;
        BytesView prefix;  // at most most_prefix octets; copied
        BytesView payload;
        Fragmentation fragmentation = Fragmentation::Allowed;
        std::size_t padding = 0;  // zero octets after the payload, at most most_padding
    };
    static constexpr std::size_t most_prefix = 48;
    static constexpr std::size_t most_padding = 3;

    struct Handlers {
        // All of one socket, or as many as there are buffers for.
        std::move_only_function<void(Id, std::uint64_t tag, std::span<const Arrival>)> on_arrivals;
        std::move_only_function<void(Id, std::uint64_t tag, const IcmpError&)> on_icmp_error;
        // After every socket that was ready has been served once: for what a batch may wait for.
        Task on_round;
    };

    UdpSocketSet(Loop& loop, Handlers handlers);
    UdpSocketSet(const UdpSocketSet&) = delete;
    UdpSocketSet& operator=(const UdpSocketSet&) = delete;
    ~UdpSocketSet();

    // Port 0 chooses a free one.
    std::expected<Id, OsError> open(const SocketAddress& local, const Options& options);
    // Takes over a bound socket of another process.
    std::expected<Id, OsError> adopt(FileDescriptor socket, const Options& options);
    // May be called from the callbacks, for any socket.
    void close(Id id);
    // As close(), but the socket stays open, with what waits in it. Invalid for an unknown id.
    FileDescriptor release(Id id);
    // Another number for the same socket. Invalid for an unknown id, or where no number is left.
    [[nodiscard]] FileDescriptor duplicate(Id id) const;
    // The unspecified address for an unknown id.
    SocketAddress local_address(Id id) const;
    std::size_t size() const;

    // Does now what Setup::AtFirstUse would do later: others send from this address, too.
    void set_up(Id id);

    // Leaves with flush(), which comes by itself after each round and where too much waits. The
    // payload stays valid until then; that of an arrival does. In between, datagrams of one socket,
    // destination and size are gathered into one segmented send; a flow keeps its order, flows
    // among each other do not.
    void send(const Departure& departure);
    // The payload, most_copied octets or less, is valid during the call only.
    void send_copy(const Departure& departure);
    static constexpr std::size_t most_copied = 65'536;
    void flush();

    const UdpSetCounters& counters() const;
    // Datagrams that the kernel dropped because this socket's receive buffer was full.
    std::uint64_t kernel_drops(Id id) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stile::drivers
