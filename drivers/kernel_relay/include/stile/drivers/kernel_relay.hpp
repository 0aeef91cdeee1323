// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::drivers {

// Where the programs sit. In the order in which they are tried.
enum class KernelMode : std::uint8_t {
    XdpNative,   // in the driver of the network card, before a packet costs anything
    Tc,          // where packets enter the network stack; works on every Ethernet-like interface
    XdpGeneric,  // as native, but after the driver: slower than Tc
};

// Why nothing is forwarded in the kernel.
struct KernelRelayError {
    std::string text;  // "not built in: clang was missing", "eth0: XDP native: ...; TC: ..."
};

// Lets `per_second` through, and `burst` at once after a pause.
struct KernelRate {
    std::uint64_t per_second = 0;  // at least 1
    std::uint64_t burst = 0;       // at least 1
};

struct KernelRelayOptions {
    // Names of interfaces, and those that carry one of these addresses; 0.0.0.0 or :: is all that
    // are up. A loopback address names `lo`, where packets between addresses of this host are.
    std::vector<std::string> interfaces;
    std::vector<IpAddress> addresses;
    // Only this; empty: on each interface the first that works.
    std::optional<KernelMode> mode;
    std::size_t most_channels = 16'384;  // at most most_kernel_channels; about 300 octets each
    // Binding answers to one IPv4 /24 or IPv6 /56, and octets of them (STUN's) to all together;
    // what is above is left to user space. Empty: as many as are asked.
    std::optional<KernelRate> bindings = KernelRate{.per_second = 100, .burst = 400};
    std::optional<KernelRate> binding_octets = KernelRate{.per_second = 1 << 20, .burst = 1 << 21};
};

inline constexpr std::size_t most_kernel_channels = 1'000'000;
// Users that have a rate of their own at a time; more share the last.
inline constexpr std::size_t most_kernel_owners = 65'536;

// Forwards UDP between clients and peers of TURN channels inside the kernel: ChannelData to the
// peer without its header, the peer's datagrams to the client as ChannelData; and answers Binding
// requests without attributes. RFC 8656 Section 12, RFC 8489 Section 6.3.1.
//
// What is not of an installed channel, or cannot be forwarded as it is (fragments, IP options,
// datagrams that do not fit the way out, an expired channel, a used-up rate, an unresolved
// neighbour, a peer that is a relay of this host), goes on to the sockets untouched: user space
// serves it. Nothing is dropped here.
//
// Ends with the process, and lease_time after the last tend(). All functions may be called from
// any thread.
class KernelRelay {
public:
    // Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or root. Refuses where no interface works;
    // interfaces that do not are named in describe(). An XDP program of someone else is left alone.
    static std::expected<std::unique_ptr<KernelRelay>, KernelRelayError> open(
        const KernelRelayOptions& options);
    KernelRelay(const KernelRelay&) = delete;
    KernelRelay& operator=(const KernelRelay&) = delete;
    ~KernelRelay();

    // "XDP native on eth0, TC on lo (XDP native: not supported by its driver)"
    std::string describe() const;
    struct Attached {
        std::string interface;
        KernelMode mode;
    };
    std::vector<Attached> attached() const;

    // Takes the programs off the interfaces: from here on every packet reaches user space.
    // Channels, limits and counters stay, and count again after attach(), which chooses as open()
    // does.
    void detach();
    std::expected<void, KernelRelayError> attach();

    // Names a channel: a client has a number once.
    struct Key {
        SocketAddress server;  // the listener, as in the client's packets
        SocketAddress client;
        std::uint16_t channel = 0;  // 0x4000 to 0x7FFF
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Channel {
        Key key;
        SocketAddress relayed;  // as in the peer's packets when they arrive at this host
        SocketAddress peer;
        Instant until;  // as Loop::now counts
        // Payload octets of both directions that may pass from now on; empty: no end.
        std::optional<std::uint64_t> octets;
        // Whose rate it counts against, see limit(); 0 is nobody's.
        std::uint32_t owner = 0;
        // Given back in ChannelTraffic.
        std::uint64_t tag = 0;
    };
    enum class Installed : std::uint8_t {
        Added,
        Updated,  // the same key: everything else is replaced
        Refused,  // full, or an address of a kind that is not forwarded: user space serves it
    };
    Installed install(const Channel& channel);
    void remove(const Key& key);

    // Relayed addresses of live allocations, by every name that peers have for them: packets to
    // these are not forwarded here, user space hairpins them.
    void add_relay(const SocketAddress& relayed);
    void remove_relay(const SocketAddress& relayed);

    // A rate for all channels of an owner together, over both directions. Not 0; empty: no limit.
    struct OwnerLimit {
        std::optional<KernelRate> octets;  // of payload
        std::optional<KernelRate> packets;
    };
    void limit(std::uint32_t owner, const OwnerLimit& limit);

    // Answers at this address of a UDP listener, or no longer.
    enum class Bindings : std::uint8_t { Answer, Leave };
    void bindings(const SocketAddress& server, Bindings what);

    // Call every second or so: renews the lease, follows changes of routes and neighbours.
    void tend();

    struct Amount {
        std::uint64_t packets = 0;
        std::uint64_t octets = 0;  // of payload
    };
    struct ChannelTraffic {
        Key key;
        std::uint64_t tag = 0;
        Amount to_peer;
        Amount to_client;
    };
    // What passed since the last call, of the channels that had any; also of removed ones. Costs no
    // system call.
    std::vector<ChannelTraffic> take_traffic();

    // Since open().
    struct Statistics {
        std::uint64_t to_peer = 0;
        std::uint64_t to_client = 0;
        std::uint64_t bindings = 0;
        // Left to user space although their channel is known, or a Binding that could be answered:
        std::uint64_t expired = 0;     // channel or lease
        std::uint64_t over_rate = 0;   // or over the budget
        std::uint64_t no_way_out = 0;  // route, neighbour, size, hop limit, hairpin
        std::uint64_t odd = 0;         // lengths, merged datagrams, checksums that tell nothing
    };
    Statistics statistics() const;

private:
    struct Impl;
    explicit KernelRelay(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// How long the kernel goes on without tend().
inline constexpr Duration kernel_lease_time = std::chrono::seconds{10};

}  // namespace stile::drivers
