// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sim/sessions/turn_host.hpp>
#include <stile/turn/stream_framing.hpp>

#include <algorithm>

namespace stile::sim {
namespace {

constexpr const char* username = "peer";
constexpr const char* password = "sim";

// Public hosts of the world have documentation addresses, which a relay refuses unless told so.
turn_server::ServiceConfig service_config(const Scene& scene) {
    turn_server::ServiceConfig config;
    config.relay.authentication.realm = "example.org";
    config.relay.mobility = turn::Offer::Offered;
    for (const char* const range : {"203.0.113.0/24", "198.51.100.0/24", "2001:db8::/32"}) {
        const bool opened = config.relay.peers.open(IpPrefix::parse(range).value());
        STILE_ASSERT(opened);
    }
    if (scene.transports == Transports::UdpAndTcp) {
        config.relay.tcp_relays = turn::Offer::Offered;
    }
    for (const SocketAddress& socket : scene.server_sockets) {
        config.own_addresses.push_back(socket.ip);
        if (!socket.ip.is_v4()) config.relay.ipv6 = turn::Offer::Offered;
    }
    return config;
}

}  // namespace

TurnHost::TurnHost(World& world, const Scene& scene, std::uint64_t seed)
    : world_(world),
      host_(scene.server),
      sockets_(scene.server_sockets),
      transports_(scene.transports),
      service_(world.now(), WallTime{std::chrono::seconds{1'800'000'000}}, service_config(scene),
               crypto::RandomStream{crypto::seed_from_number(seed)}) {
    const bool set = service_.credentials().set_account(username, password);
    STILE_ASSERT(set);
    if (transports_ == Transports::UdpOnly) return;
    for (const SocketAddress& socket : sockets_) {
        world_.listen(host_, socket);
        world_.listen(host_, {socket.ip, https_port});
    }
}

connect::ConnectorConfig TurnHost::client_config(AddressFamily family) const {
    connect::ConnectorConfig config;
    config.stun_servers = sockets_;
    const auto relay = std::ranges::find_if(
        sockets_, [&](const SocketAddress& socket) { return socket.ip.family() == family; });
    if (relay == sockets_.end()) return config;
    config.turn_servers = {{*relay, username, password}};
    if (transports_ == Transports::UdpAndTcp) {
        config.turn_servers.push_back({*relay, username, password, turn::ClientTransport::Tcp, {}});
        config.turn_servers.push_back({{relay->ip, https_port},
                                       username,
                                       password,
                                       turn::ClientTransport::Tls,
                                       "turn.example.org"});
    }
    return config;
}

void TurnHost::handle(const DatagramArrived& arrived) {
    const Instant now = world_.now();
    const SocketAddress& local = arrived.path.local;
    if (std::ranges::find(sockets_, local) != sockets_.end()) {
        const turn::ClientFlow flow{.local = local, .remote = arrived.path.remote};
        if (const auto relayed = service_.handle_client(now, flow, arrived.payload)) {
            std::visit([this](const auto& datagram) { send(datagram); }, *relayed);
        }
    } else if (const auto relay = relays_.find(local.port); relay != relays_.end()) {
        if (const auto message =
                service_.handle_peer(now, relay->second, arrived.path.remote, arrived.payload)) {
            send(*message);
        }
    }
    flush();
}

void TurnHost::handle(const StreamAccepted& accepted) {
    if (const auto relay = tcp_relays_.find(accepted.path.local.port); relay != tcp_relays_.end()) {
        const auto connection =
            service_.handle_peer_accepted(world_.now(), relay->second, accepted.path.remote);
        if (!connection) return world_.close(accepted.stream, StreamEnd::Server);
        peerings_[*connection] = {.stream = accepted.stream, .end = StreamEnd::Server};
        peered_[accepted.stream] = *connection;
        return flush();
    }
    const bool is_https = accepted.path.local.port == https_port;
    const turn::ClientFlow flow{
        .local = accepted.path.local,
        .remote = accepted.path.remote,
        .transport = is_https ? turn::ClientTransport::Tls : turn::ClientTransport::Tcp};
    connections_[accepted.stream] = {.flow = flow};
    streams_[flow] = accepted.stream;
}

void TurnHost::handle(const StreamArrived& arrived) {
    if (carry(arrived)) return;
    const auto found = connections_.find(arrived.stream);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    connection.received.insert(connection.received.end(), arrived.octets.begin(),
                               arrived.octets.end());
    while (const auto message = first_message(connection)) {
        const std::size_t size = message->size();
        if (const auto relayed = service_.handle_client(world_.now(), connection.flow, *message)) {
            std::visit([this](const auto& datagram) { send(datagram); }, *relayed);
        }
        connection.received.erase(connection.received.begin(),
                                  connection.received.begin() + static_cast<std::ptrdiff_t>(size));
        flush();
        // No octets of the peer come before the answer to ConnectionBind.
        if (peered_.contains(arrived.stream)) return;
    }
}

std::optional<BytesView> TurnHost::first_message(const Connection& connection) const {
    const auto size = turn::framed_size(connection.received);
    STILE_ASSERT(size || size.error() == turn::FramingError::Incomplete);
    if (!size || *size > connection.received.size()) return std::nullopt;
    return BytesView{connection.received}.first(*size);
}

void TurnHost::handle(const StreamClosed& closed) {
    if (const auto peered = peered_.find(closed.stream); peered != peered_.end()) {
        const turn::ConnectionId connection = peered->second;
        if (closed.why == StreamClosed::Why::Ended) {
            service_.handle_connection_gone(world_.now(), connection);
        } else {
            peerings_.erase(connection);
            peered_.erase(peered);
            service_.handle_connection_failed(world_.now(), connection,
                                              turn::ConnectionFailure::PeerUnreachable);
        }
        return flush();
    }
    const auto found = connections_.find(closed.stream);
    if (found == connections_.end()) return;
    service_.handle_client_gone(world_.now(), found->second.flow);
    streams_.erase(found->second.flow);
    connections_.erase(found);
    flush();
}

void TurnHost::answer(const turn::ClientFlow& flow, BytesView message) {
    if (!turn::is_stream(flow.transport)) {
        world_.send(host_, {flow.local, flow.remote}, message);
    } else if (const auto stream = streams_.find(flow); stream != streams_.end()) {
        world_.send(stream->second, StreamEnd::Server, message);
    }
}

void TurnHost::handle_timeout() {
    service_.handle_timeout(world_.now());
    flush();
}

void TurnHost::flush() {
    for (;;) {
        if (const auto reply = service_.poll_transmit()) {
            answer(reply->flow, reply->message);
        } else if (const auto event = service_.poll_event()) {
            if (const auto* const wanted = std::get_if<turn::RelayWanted>(&*event)) {
                open(*wanted);
            } else if (const auto* const closed = std::get_if<turn::RelayClosed>(&*event)) {
                const auto relayed = relayed_.find(closed->relay);
                if (relayed == relayed_.end()) continue;
                relays_.erase(relayed->second.port);
                tcp_relays_.erase(relayed->second.port);
                relayed_.erase(relayed);
            } else if (const auto* const peer = std::get_if<turn::ConnectionWanted>(&*event)) {
                connect_to_peer(*peer);
            } else if (const auto* const joined = std::get_if<turn::ConnectionJoined>(&*event)) {
                join(*joined);
            } else if (const auto* const ended = std::get_if<turn::ConnectionClosed>(&*event)) {
                close(*ended);
            }
        } else {
            return;
        }
    }
}

void TurnHost::open(const turn::RelayWanted& wanted) {
    const auto socket = std::ranges::find_if(
        sockets_, [&](const SocketAddress& own) { return own.ip.family() == wanted.family; });
    if (socket == sockets_.end()) return service_.handle_relay_failed(world_.now(), wanted.relay);
    const SocketAddress relayed{socket->ip, Port{next_port_++}};
    relayed_[wanted.relay] = relayed;
    if (wanted.protocol == turn::RelayProtocol::Tcp) {
        tcp_relays_[relayed.port] = wanted.relay;
        world_.listen(host_, relayed);
    } else {
        relays_[relayed.port] = wanted.relay;
    }
    service_.handle_relay_opened(world_.now(), wanted.relay, relayed);
}

// ---- TCP allocations: RFC 6062 Section 5 -------------------------------------------------------

void TurnHost::connect_to_peer(const turn::ConnectionWanted& wanted) {
    const StreamId stream = world_.connect(host_, {relayed_.at(wanted.relay), wanted.peer});
    peerings_[wanted.connection] = {.stream = stream, .end = StreamEnd::Client};
    peered_[stream] = wanted.connection;
}

void TurnHost::handle(const StreamOpened& opened) {
    const auto peered = peered_.find(opened.stream);
    if (peered == peered_.end()) return;
    service_.handle_connection_opened(world_.now(), peered->second);
    flush();
}

void TurnHost::join(const turn::ConnectionJoined& joined) {
    const auto peering = peerings_.find(joined.connection);
    const auto data = streams_.find(joined.data_flow);
    if (peering == peerings_.end() || data == streams_.end()) return;
    peering->second.data = data->second;
    peered_[data->second] = joined.connection;
    world_.send(data->second, StreamEnd::Server, std::exchange(peering->second.waiting, {}));
}

void TurnHost::close(const turn::ConnectionClosed& closed) {
    const auto peering = peerings_.find(closed.connection);
    if (peering == peerings_.end()) return;
    const Peering gone = peering->second;
    peerings_.erase(peering);
    peered_.erase(gone.stream);
    world_.close(gone.stream, gone.end);
    if (!gone.data) return;
    peered_.erase(*gone.data);
    world_.close(*gone.data, StreamEnd::Server);
    const auto connection = connections_.find(*gone.data);
    if (connection == connections_.end()) return;
    streams_.erase(connection->second.flow);
    connections_.erase(connection);
}

// True where the octets are a peer's, or for one.
bool TurnHost::carry(const StreamArrived& arrived) {
    const auto peered = peered_.find(arrived.stream);
    if (peered == peered_.end()) return false;
    Peering& peering = peerings_.at(peered->second);
    if (arrived.stream != peering.stream) {
        world_.send(peering.stream, peering.end, arrived.octets);
    } else if (peering.data) {
        world_.send(*peering.data, StreamEnd::Server, arrived.octets);
    } else {
        peering.waiting.insert(peering.waiting.end(), arrived.octets.begin(), arrived.octets.end());
    }
    return true;
}

void TurnHost::send(const turn::ToPeer& datagram) {
    world_.send(host_, {relayed_.at(datagram.relay), datagram.peer}, datagram.payload);
}

void TurnHost::send(const turn::ToClient& message) {
    Bytes octets = to_bytes(message.prefix());
    octets.insert(octets.end(), message.payload.begin(), message.payload.end());
    octets.resize(octets.size() + message.padding);
    answer(message.flow, octets);
}

}  // namespace stile::sim
