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
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stile::sim {

// In flight at once; a run that needs more has a machine that answers itself without end.
inline constexpr std::size_t most_in_flight = 1'000'000;
// Entries kept of the trace, the newest.
inline constexpr std::size_t most_trace_entries = 10'000;
// Networks that a packet crosses at most.
inline constexpr unsigned most_hops = 32;

// Names a call of connect(), and the connection that came of it. In a simultaneous open each side
// has made its own: both are its Client.
struct StreamId {
    std::uint32_t value = 0;
    friend auto operator<=>(StreamId, StreamId) = default;
};
enum class StreamEnd : std::uint8_t { Client, Server };

// SYNs of an attempt, after 0, 1, 3, 7, 15 and 31 s; it is given up after 63 s.
inline constexpr unsigned most_syns = 6;

// What the world tells a host. `path.local` is the address of the host.
struct DatagramArrived {
    HostId host;
    Path path;
    Bytes payload;
};
struct StreamOpened {  // to who connected
    HostId host;
    StreamId stream;
    Path path;
};
struct StreamAccepted {  // to who listens, with the client's address as NATs show it
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
struct StreamClosed {
    enum class Why : std::uint8_t {
        Ended,        // by the other end, or reset
        Refused,      // not opened: the answer was a reset
        TimedOut,     // not opened: no answer
        Unreachable,  // not opened: a box said so
        Local,        // not opened: no such address, or the same connection is there already
    };
    HostId host;
    StreamId stream;
    StreamEnd end;  // that is told
    Why why;
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
    TcpBlocked,
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
    std::string_view segment;  // of TCP; empty for UDP

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

    // Streams: TCP as boxes see it. SYNs are routed, translated, filtered and repeated as packets
    // are; where two meet, both sides have connected (RFC 9293 Section 3.5). Octets arrive in
    // order; a loss on a link delays them. A stream over a mapping that is gone falls silent.
    void listen(HostId host, const SocketAddress& address);
    // Several connections may leave from one port, and one that listens. Octets may be sent at
    // once.
    StreamId connect(HostId host, const Path& path);
    // Does nothing to a stream that is closed.
    void send(StreamId stream, StreamEnd from, BytesView octets);
    void close(StreamId stream, StreamEnd from);

    // Changes during the run.
    void set_link(HostId host, const IpAddress& address, const Link& link);
    void set_uplink(BoxId box, const Link& link);
    void set_udp(BoxId box, Udp udp);
    void set_tcp(BoxId box, Tcp tcp);
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
    // One end of a stream.
    struct EndId {
        StreamId stream;
        StreamEnd end;
        friend auto operator<=>(const EndId&, const EndId&) = default;
    };
    struct Segment {
        enum class Kind : std::uint8_t { Syn, SynAck, Ack, Data, Fin, Reset, Unreachable };
        Kind kind;
        EndId from;
        std::optional<EndId> answers;  // of SynAck, Reset and Unreachable: whose segment
        std::uint64_t number;          // of Data and Fin
    };
    struct Packet {
        SocketAddress source;
        SocketAddress destination;
        Bytes payload;
        unsigned hops;                   // networks crossed so far
        std::optional<Segment> segment;  // of TCP; absent for UDP
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
    struct SynDue {
        EndId end;
        unsigned sent;
    };
    using Event = std::variant<AtNetwork, AtBoxOutside, AtHost, SynDue, Happening>;
    struct Scheduled {
        Instant when;
        std::uint64_t sequence;
        Event event;
    };
    // A host's side of a connection.
    struct Socket {
        enum class State : std::uint8_t { SynSent, SynReceived, Established, Closed };
        HostId host;
        Path path;
        State state;
        std::uint64_t next_out = 0;
        std::uint64_t next_in = 0;
        std::map<std::uint64_t, Packet> early = {};  // by number, not yet in order
        std::vector<Bytes> waiting = {};             // until it is established
    };
    struct BoxState {
        std::optional<Nat> v4;  // of a NAT64: the translation
        std::optional<Nat> v6;
        std::optional<Nat> tcp_v4;
        std::optional<Nat> tcp_v6;
    };
    static std::string_view name(Segment::Kind kind);
    enum class Towards : std::uint8_t { Inside, Outside };

    std::optional<Happening> carry_out(Event event);
    void put_out(const Interface& from, Packet packet);
    void forward(AtNetwork at);
    void leave(BoxId box, Packet packet);
    void leave_by_nat64(BoxId box, const IpAddress& beyond, Packet packet);
    void hairpin(BoxId box, Packet packet);
    void go_outside(BoxId box, Packet packet);
    void enter(AtBoxOutside at);
    // Puts the packet on a link; the event is made for each copy that arrives.
    template <class MakeEvent>
    void traverse(const Link& link, Towards towards, Packet packet, MakeEvent&& make_event);
    Nat* table(BoxId box, const Packet& packet, AddressFamily family);
    std::optional<DropReason> refusal(const Box& box, const Packet& packet, Port outside) const;
    // What a box answers to a SYN that it does not let in.
    void answer_refused(BoxId box, const Packet& packet);
    void schedule(Instant when, Event event);
    static bool happens(Probability probability, crypto::RandomStream& random);
    void drop(const Packet& packet, DropReason reason);
    void note(TraceEntry::What what, const Packet& packet, DropReason reason = DropReason::Lost);
    // streams.cpp
    void send_segment(const Socket& socket, const Segment& segment, BytesView octets = {});
    void send_syn(SynDue due);
    void reset(HostId host, const Packet& packet);
    void arrive(HostId host, Packet packet);
    void take_syn(HostId host, const Packet& packet, std::optional<EndId> known);
    void take_octets(EndId id, Packet packet);
    void establish(EndId id);
    void end(EndId id, StreamClosed::Why why);
    void forget(EndId id);
    Socket* socket(EndId id);

    Topology topology_;
    crypto::RandomStream random_;
    Instant now_;
    std::vector<BoxState> boxes_;
    std::vector<Scheduled> queue_;  // a heap, the soonest first
    std::uint64_t sequence_ = 0;
    std::set<std::pair<HostId, SocketAddress>> listeners_;
    std::map<EndId, Socket> sockets_;
    std::map<std::pair<HostId, Path>, EndId> connections_;  // what is not closed
    std::uint32_t last_stream_ = 0;
    crypto::RandomStream tcp_random_;  // its own: streams change nothing for datagrams
    std::array<std::uint64_t, static_cast<std::size_t>(DropReason::count)> dropped_{};
    std::uint64_t delivered_ = 0;
    std::deque<TraceEntry> trace_;
    std::uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace stile::sim
