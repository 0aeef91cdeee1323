// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/connector.hpp>
#include <stile/sim/sessions/scene.hpp>
#include <stile/sim/world.hpp>
#include <stile/turn_server/service.hpp>

#include <map>
#include <optional>

namespace stile::sim {

// STUN and TURN on the server of a scene, with TCP allocations where it has TCP. Relays are further
// ports of the host.
class TurnHost {
public:
    TurnHost(World& world, const Scene& scene, std::uint64_t seed);

    void handle(const DatagramArrived& arrived);
    void handle(const StreamOpened& opened);
    void handle(const StreamAccepted& accepted);
    void handle(const StreamArrived& arrived);
    void handle(const StreamClosed& closed);
    void handle_timeout();
    std::optional<Instant> poll_timeout() const { return service_.poll_timeout(); }

    // What a peer's configuration says of it: the relay by the family that the peer has; where the
    // scene has TCP, then the same over TCP and TLS.
    connect::ConnectorConfig client_config(AddressFamily family = AddressFamily::V4) const;
    const turn_server::Service& service() const { return service_; }

private:
    struct Connection {
        turn::ClientFlow flow;
        Bytes received = {};  // not yet a whole message
    };
    // Between a relay and a peer. RFC 6062.
    struct Peering {
        StreamId stream;
        StreamEnd end;                   // ours
        std::optional<StreamId> data{};  // the client's, once it is joined
        Bytes waiting{};                 // of the peer, until then
    };
    void flush();
    void open(const turn::RelayWanted& wanted);
    void connect_to_peer(const turn::ConnectionWanted& wanted);
    void join(const turn::ConnectionJoined& joined);
    void close(const turn::ConnectionClosed& closed);
    bool carry(const StreamArrived& arrived);
    void answer(const turn::ClientFlow& flow, BytesView message);
    std::optional<BytesView> first_message(const Connection& connection) const;
    void send(const turn::ToPeer& datagram);
    void send(const turn::ToClient& message);

    World& world_;
    HostId host_;
    std::vector<SocketAddress> sockets_;
    Transports transports_;
    turn_server::Service service_;
    std::map<StreamId, Connection> connections_;
    std::map<turn::ClientFlow, StreamId> streams_;
    std::map<turn::ConnectionId, Peering> peerings_;
    std::map<StreamId, turn::ConnectionId> peered_;  // of peers' streams, and of joined ones
    std::map<turn::RelayId, SocketAddress> relayed_;
    std::map<Port, turn::RelayId> relays_;
    std::map<Port, turn::RelayId> tcp_relays_;
    std::uint16_t next_port_ = 49152;
};

}  // namespace stile::sim
