// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Streams: what a host's TCP does with segments. RFC 9293 Section 3.5 without its numbers: instead
// of an acknowledged number, a segment names the end that it answers.
#include <stile/base/assert.hpp>
#include <stile/sim/world.hpp>

#include <algorithm>
#include <utility>

namespace stile::sim {

using std::chrono::seconds;

HostId host_of(const Happening& happening) {
    return std::visit([](const auto& one) { return one.host; }, happening);
}

void World::listen(HostId host, const SocketAddress& address) {
    STILE_ASSERT(topology_.interface_of(host, address.ip) != nullptr);
    listeners_.emplace(host, address);
}

StreamId World::connect(HostId host, const Path& path) {
    const StreamId stream{last_stream_++};
    const EndId id{stream, StreamEnd::Client};
    if (topology_.interface_of(host, path.local.ip) == nullptr ||
        connections_.contains({host, path})) {
        schedule(now_, StreamClosed{.host = host,
                                    .stream = stream,
                                    .end = StreamEnd::Client,
                                    .why = StreamClosed::Why::Local});
        return stream;
    }
    sockets_.emplace(id, Socket{.host = host, .path = path, .state = Socket::State::SynSent});
    connections_[{host, path}] = id;
    send_syn({id, 0});
    return stream;
}

void World::send_syn(SynDue due) {
    const Socket* const socket = this->socket(due.end);
    // Also while the other's SYN is answered: that answer may be lost.
    if (socket == nullptr || socket->state == Socket::State::Established) return;
    if (due.sent == most_syns) return end(due.end, StreamClosed::Why::TimedOut);
    send_segment(*socket,
                 {.kind = Segment::Kind::Syn, .from = due.end, .answers = {}, .number = 0});
    schedule(now_ + seconds{1} * (1U << due.sent), SynDue{due.end, due.sent + 1});
}

void World::send_segment(const Socket& socket, const Segment& segment, BytesView octets) {
    const Interface* const from = topology_.interface_of(socket.host, socket.path.local.ip);
    if (from == nullptr) return;
    put_out(*from, {.source = socket.path.local,
                    .destination = socket.path.remote,
                    .payload = to_bytes(octets),
                    .hops = 0,
                    .segment = segment});
}

void World::reset(HostId host, const Packet& packet) {
    const Socket nobody{.host = host,
                        .path = {.local = packet.destination, .remote = packet.source},
                        .state = Socket::State::Closed};
    send_segment(
        nobody,
        {.kind = Segment::Kind::Reset, .from = {}, .answers = packet.segment->from, .number = 0});
}

void World::arrive(HostId host, Packet packet) {
    const Segment segment = *packet.segment;
    const auto at = connections_.find({host, {packet.destination, packet.source}});
    const std::optional<EndId> known =
        at == connections_.end() ? std::nullopt : std::optional{at->second};
    using Kind = Segment::Kind;
    switch (segment.kind) {
        case Kind::Syn:
            return take_syn(host, packet, known);
        case Kind::Reset:
        case Kind::Unreachable: {
            if (!known || segment.answers != known) return;
            const bool is_opening = socket(*known)->state == Socket::State::SynSent ||
                                    socket(*known)->state == Socket::State::SynReceived;
            // RFC 9293 Section 3.9.2.2: what a router says ends no connection that is established.
            if (segment.kind == Kind::Unreachable) {
                if (is_opening) end(*known, StreamClosed::Why::Unreachable);
                return;
            }
            return end(*known, is_opening ? StreamClosed::Why::Refused : StreamClosed::Why::Ended);
        }
        case Kind::SynAck:
            if (!known || segment.answers != known) return reset(host, packet);
            if (socket(*known)->state != Socket::State::Established) establish(*known);
            return send_segment(
                *socket(*known),
                {.kind = Kind::Ack, .from = *known, .answers = segment.from, .number = 0});
        case Kind::Ack:
            if (known && socket(*known)->state == Socket::State::SynReceived) establish(*known);
            return;
        case Kind::Data:
        case Kind::Fin:
            if (!known) return reset(host, packet);
            return take_octets(*known, std::move(packet));
    }
}

void World::take_syn(HostId host, const Packet& packet, std::optional<EndId> known) {
    const EndId from = packet.segment->from;
    if (known) {
        Socket& own = *socket(*known);
        // Both have sent one: RFC 9293 Figure 7.
        if (own.state == Socket::State::SynSent) own.state = Socket::State::SynReceived;
    } else if (listeners_.contains({host, packet.destination})) {
        // One that comes again, by another mapping, replaces itself.
        known = EndId{from.stream, StreamEnd::Server};
        forget(*known);
        const Path path{.local = packet.destination, .remote = packet.source};
        sockets_.emplace(*known,
                         Socket{.host = host, .path = path, .state = Socket::State::SynReceived});
        connections_[{host, path}] = *known;
    } else {
        return reset(host, packet);
    }
    send_segment(*socket(*known),
                 {.kind = Segment::Kind::SynAck, .from = *known, .answers = from, .number = 0});
}

void World::establish(EndId id) {
    Socket& own = *socket(id);
    own.state = Socket::State::Established;
    if (id.end == StreamEnd::Client) {
        schedule(now_, StreamOpened{.host = own.host, .stream = id.stream, .path = own.path});
    } else {
        schedule(now_, StreamAccepted{.host = own.host, .stream = id.stream, .path = own.path});
    }
    for (const Bytes& octets : std::exchange(own.waiting, {})) send(id.stream, id.end, octets);
}

void World::take_octets(EndId id, Packet packet) {
    Socket& own = *socket(id);
    if (own.state == Socket::State::SynReceived) establish(id);
    if (own.state != Socket::State::Established) return;
    own.early.emplace(packet.segment->number, std::move(packet));
    for (;;) {
        const auto next = own.early.find(own.next_in);
        if (next == own.early.end()) return;
        Packet in_order = std::move(next->second);
        own.early.erase(next);
        ++own.next_in;
        if (in_order.segment->kind == Segment::Kind::Fin) {
            return end(id, StreamClosed::Why::Ended);
        }
        schedule(now_, StreamArrived{.host = own.host,
                                     .stream = id.stream,
                                     .end = id.end,
                                     .octets = std::move(in_order.payload)});
    }
}

void World::send(StreamId stream, StreamEnd from, BytesView octets) {
    const EndId id{stream, from};
    Socket* const own = socket(id);
    if (own == nullptr || octets.empty()) return;
    if (own->state != Socket::State::Established) {
        own->waiting.push_back(to_bytes(octets));
        return;
    }
    const Segment segment{
        .kind = Segment::Kind::Data, .from = id, .answers = {}, .number = own->next_out++};
    send_segment(*own, segment, octets);
}

void World::close(StreamId stream, StreamEnd from) {
    const EndId id{stream, from};
    const Socket* const own = socket(id);
    if (own == nullptr) return;
    if (own->state == Socket::State::Established) {
        send_segment(
            *own, {.kind = Segment::Kind::Fin, .from = id, .answers = {}, .number = own->next_out});
    }
    forget(id);
}

void World::end(EndId id, StreamClosed::Why why) {
    const Socket& own = *socket(id);
    // Nobody was told of one that was never accepted.
    if (id.end == StreamEnd::Client || own.state == Socket::State::Established) {
        schedule(now_,
                 StreamClosed{.host = own.host, .stream = id.stream, .end = id.end, .why = why});
    }
    forget(id);
}

void World::forget(EndId id) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) return;
    connections_.erase({found->second.host, found->second.path});
    sockets_.erase(found);
}

World::Socket* World::socket(EndId id) {
    const auto found = sockets_.find(id);
    return found == sockets_.end() ? nullptr : &found->second;
}

}  // namespace stile::sim
