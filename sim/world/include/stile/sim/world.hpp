// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/nat.hpp>
#include <stile/sim/topology.hpp>

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace stile::sim {

// In flight at once; a run that needs more has a machine that answers itself without end.
inline constexpr std::size_t most_in_flight = 1'000'000;
// Entries kept of the trace, the newest.
inline constexpr std::size_t most_trace_entries = 10'000;
// Networks that a packet crosses at most.
inline constexpr unsigned most_hops = 32;

struct StreamId {
    std::uint32_t value = 0;
    friend auto operator<=>(StreamId, StreamId) = default;
};
enum class StreamEnd : std::uint8_t { Client, Server };

// What the world tells a host. `path.local` is the address of the host.
struct DatagramArrived {
    HostId host;
    Path path;
    Bytes payload;
};
struct StreamOpened {  // to the client
    HostId host;
    StreamId stream;
    Path path;
};
struct StreamAccepted {  // to the server, with the client's address as NATs show it
    HostId host;
    StreamId stream;
    Path path;
};
struct StreamArrived {
    HostId host;
    StreamId stream;
    StreamEnd end;  // that receives
    Bytes octets;
};
struct StreamClosed {  // by the other end; for a client also: refused or no route
    HostId host;
    StreamId stream;
    StreamEnd end;
};
using Happening =
    std::variant<DatagramArrived, StreamOpened, StreamAccepted, StreamArrived, StreamClosed>;
HostId host_of(const Happening& happening);

enum class DropReason : std::uint8_t {
    Lost,      // by a link
    TooLarge,  // for a link
    NoRoute,
    NoMapping,
    Filtered,
    NoHairpin,
    UdpBlocked,
    NoPortsLeft,
    InFlightLimit,
    count
};

struct TraceEntry {
    enum class What : std::uint8_t { Sent, Dropped, Duplicated, Translated, Delivered };
    Instant when;
    What what;
    DropReason reason;  // meaningful with Dropped
    SocketAddress source;
    SocketAddress destination;
    std::size_t octets;

    std::string to_string() const;
};

// A run: a topology, its NAT tables, and what is on its way, in virtual time. The same topology,
// seed and calls give the same happenings at the same instants.
//
// Order of calls: send, connect and the changes at any time; step() or run_until() to let time
// pass. A caller that drives machines passes the earliest of their poll_timeout() as the deadline.
class World {
public:
    World(Topology topology, std::uint64_t seed, Instant start = {});

    Instant now() const { return now_; }
    const Topology& topology() const { return topology_; }

    // Lets time pass to the next happening, but not beyond the deadline; nothing if there is none.
    std::optional<Happening> step(Instant deadline);
    // Hands every happening up to the deadline to `handle`, which may send.
    template <class Handle>
    void run_until(Instant deadline, Handle&& handle) {
        while (std::optional<Happening> happening = step(deadline)) handle(*std::move(happening));
    }
    // When step() would stop next, if nothing is sent meanwhile. Not every one of these is a
    // happening: packets also move between networks.
    std::optional<Instant> next() const;

    // Datagrams. A host's ports are all open; path.local must be an address of the host.
    enum class Sent : std::uint8_t { Yes, NoSuchAddress };
    Sent send(HostId host, const Path& path, BytesView payload);

    // Streams: reliable and in order, with the delay of the links but not their losses. They pass
    // every box outwards. The server must listen.
    void listen(HostId host, const SocketAddress& address);
    StreamId connect(HostId host, const Path& path);
    // Does nothing to a stream that is closed.
    void send(StreamId stream, StreamEnd from, BytesView octets);
    void close(StreamId stream, StreamEnd from);

    // Changes during the run.
    void set_link(HostId host, const IpAddress& address, const Link& link);
    void set_uplink(BoxId box, const Link& link);
    void set_udp(BoxId box, Udp udp);
    void restart(BoxId box);  // its mappings are lost
    void attach(HostId host, NetworkId network, const IpAddress& address, const Link& link = {});
    // Streams over the address fall silent.
    void detach(HostId host, const IpAddress& address);

    std::uint64_t dropped(DropReason reason) const;
    std::uint64_t delivered() const { return delivered_; }
    const std::deque<TraceEntry>& trace() const { return trace_; }
    // Of the whole run, whatever trace() still has.
    std::uint64_t trace_digest() const { return digest_; }

private:
    struct Packet {
        SocketAddress source;
        SocketAddress destination;
        Bytes payload;
        unsigned hops;  // networks crossed so far
    };
    enum class Direction : std::uint8_t { Up, Down };
    struct AtNetwork {
        NetworkId network;
        Direction direction;
        Packet packet;
    };
    struct AtBoxOutside {
        BoxId box;
        Packet packet;
    };
    struct AtHost {
        HostId host;
        Packet packet;
    };
    using Event = std::variant<AtNetwork, AtBoxOutside, AtHost, Happening>;
    struct Scheduled {
        Instant when;
        std::uint64_t sequence;
        Event event;
    };
    struct Stream {
        HostId client;
        SocketAddress client_address;
        HostId server;
        SocketAddress server_address;
        Duration delay{0};
        bool open = false;
        std::array<Instant, 2> last_arrival{};  // by receiving end
    };
    struct StreamRoute {
        HostId server;
        SocketAddress server_address;  // as the server has it
        SocketAddress client_outside;
        Duration delay;
    };
    struct BoxState {
        std::optional<Nat> v4;  // of a NAT64: the translation
        std::optional<Nat> v6;
    };

    std::optional<Happening> carry_out(Event event);
    void forward(AtNetwork at);
    void leave(BoxId box, Packet packet);
    void leave_by_nat64(BoxId box, const IpAddress& beyond, Packet packet);
    void hairpin(BoxId box, Packet packet);
    void go_outside(BoxId box, Packet packet);
    void enter(AtBoxOutside at);
    // Puts the packet on a link; the event is made for each copy that arrives.
    template <class MakeEvent>
    void traverse(const Link& link, Packet packet, MakeEvent&& make_event);
    Nat* table(BoxId box, AddressFamily family);
    void schedule(Instant when, Event event);
    bool happens(Probability probability);
    void drop(const Packet& packet, DropReason reason);
    void note(TraceEntry::What what, const Packet& packet, DropReason reason = DropReason::Lost);
    std::optional<StreamRoute> stream_route(HostId host, const Path& path, StreamId id) const;
    void schedule_stream(Stream& stream, StreamEnd receiver, Happening happening);

    Topology topology_;
    crypto::RandomStream random_;
    Instant now_;
    std::vector<BoxState> boxes_;
    std::vector<Scheduled> queue_;  // a heap, the soonest first
    std::uint64_t sequence_ = 0;
    std::set<std::pair<HostId, SocketAddress>> listeners_;
    std::vector<Stream> streams_;
    std::array<std::uint64_t, static_cast<std::size_t>(DropReason::count)> dropped_{};
    std::uint64_t delivered_ = 0;
    std::deque<TraceEntry> trace_;
    std::uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace stile::sim
