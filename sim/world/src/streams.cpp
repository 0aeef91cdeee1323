// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Streams: their route is looked up once, when they are opened.
#include <stile/base/assert.hpp>
#include <stile/sim/world.hpp>

#include <algorithm>

namespace stile::sim {
namespace {

// TCP has port numbers of its own in a NAT; these cannot meet those of datagrams.
constexpr std::uint16_t first_stream_port = 40000;

std::size_t index(StreamEnd end) { return end == StreamEnd::Client ? 0 : 1; }

}  // namespace

HostId host_of(const Happening& happening) {
    return std::visit([](const auto& one) { return one.host; }, happening);
}

void World::listen(HostId host, const SocketAddress& address) {
    STILE_ASSERT(topology_.interface_of(host, address.ip) != nullptr);
    listeners_.emplace(host, address);
}

// Walks up through the boxes until the server's address is known, then down through those that
// route. NATs are passed outwards only.
std::optional<World::StreamRoute> World::stream_route(HostId host, const Path& path,
                                                      StreamId id) const {
    const Interface* const from = topology_.interface_of(host, path.local.ip);
    if (from == nullptr) return std::nullopt;
    StreamRoute route{.server = {},
                      .server_address = path.remote,
                      .client_outside = path.local,
                      .delay = from->link.delay};
    SocketAddress& remote = route.server_address;  // as a NAT64 on the way translates it
    NetworkId network = from->network;
    for (unsigned hops = 0; hops < most_hops; ++hops) {
        const Topology::NextHop next = topology_.next_hop(network, remote.ip);
        if (const auto* server = std::get_if<HostId>(&next)) {
            if (!listeners_.contains({*server, remote})) return std::nullopt;
            route.server = *server;
            route.delay += topology_.interface_of(*server, remote.ip)->link.delay;
            return route;
        }
        if (const auto* down = std::get_if<BoxId>(&next)) {
            const Box& box = topology_.box(*down);
            if (box.translates(remote.ip.family()) || box.firewall) return std::nullopt;
            route.delay += box.uplink.delay;
            network = box.inside;
            continue;
        }
        const auto gateway = topology_.gateway_of(network);
        if (!gateway) return std::nullopt;
        const Box& box = topology_.box(*gateway);
        const auto beyond = box.beyond_nat64(remote.ip);
        if (box.nat64 && !beyond && remote.ip.is_v4()) return std::nullopt;
        if (beyond) remote.ip = *beyond;
        if (box.translates(remote.ip.family())) {
            route.client_outside = {
                .ip = box.external,
                .port = Port{static_cast<std::uint16_t>(first_stream_port + id.value % 20000)}};
        }
        route.delay += box.uplink.delay;
        network = box.outside;
    }
    return std::nullopt;
}

StreamId World::connect(HostId host, const Path& path) {
    const StreamId id{static_cast<std::uint32_t>(streams_.size())};
    Stream& stream = streams_.emplace_back();
    stream.client = host;
    stream.client_address = path.local;
    const auto route = stream_route(host, path, id);
    if (!route) {
        const Interface* const from = topology_.interface_of(host, path.local.ip);
        stream.delay = from == nullptr ? Duration{0} : from->link.delay * 2;
        schedule_stream(stream, StreamEnd::Client,
                        StreamClosed{.host = host, .stream = id, .end = StreamEnd::Client});
        return id;
    }
    stream.server = route->server;
    stream.server_address = route->server_address;
    stream.delay = route->delay;
    stream.open = true;
    const Path seen{.local = route->server_address, .remote = route->client_outside};
    schedule_stream(stream, StreamEnd::Server,
                    StreamAccepted{.host = route->server, .stream = id, .path = seen});
    // The client knows one round trip later; nothing that the server sends overtakes that.
    stream.delay *= 2;
    schedule_stream(stream, StreamEnd::Client,
                    StreamOpened{.host = host, .stream = id, .path = path});
    stream.delay = route->delay;
    return id;
}

void World::send(StreamId id, StreamEnd from, BytesView octets) {
    Stream& stream = streams_.at(id.value);
    if (!stream.open || octets.empty()) return;
    const StreamEnd to = from == StreamEnd::Client ? StreamEnd::Server : StreamEnd::Client;
    schedule_stream(stream, to,
                    StreamArrived{.host = to == StreamEnd::Client ? stream.client : stream.server,
                                  .stream = id,
                                  .end = to,
                                  .octets = to_bytes(octets)});
}

void World::close(StreamId id, StreamEnd from) {
    Stream& stream = streams_.at(id.value);
    if (!stream.open) return;
    stream.open = false;
    const StreamEnd to = from == StreamEnd::Client ? StreamEnd::Server : StreamEnd::Client;
    schedule_stream(stream, to,
                    StreamClosed{.host = to == StreamEnd::Client ? stream.client : stream.server,
                                 .stream = id,
                                 .end = to});
}

void World::schedule_stream(Stream& stream, StreamEnd receiver, Happening happening) {
    Instant& last = stream.last_arrival[index(receiver)];
    last = std::max(last, now_ + stream.delay);
    schedule(last, std::move(happening));
}

}  // namespace stile::sim
