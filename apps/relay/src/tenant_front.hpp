// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "relay_ports.hpp"

#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket_set.hpp>
#include <stile/turn_server/service.hpp>

#include <deque>
#include <vector>

namespace stile::relay {

// The way back to a client, whatever it came by. Implemented by the shard.
class ClientOutput {
public:
    virtual void send_to_client(const turn::ToClient& message) = 0;
    // A whole answer; `message` is valid during the call only.
    virtual void send_answer(const turn::ClientFlow& flow, BytesView message) = 0;

protected:
    ~ClientOutput() = default;
};

// One tenant on one shard: its core and the sockets of its relays.
class TenantFront {
public:
    struct Parts {
        drivers::Loop& loop;
        drivers::UdpSocketSet& sockets;
        ClientOutput& clients;
        RelayPorts& ports;
        std::uint64_t relay_tag;  // of its relays' sockets; the low 32 bits are the relay's index
    };

    TenantFront(Parts parts, turn_server::ServiceConfig config, crypto::RandomStream random);

    turn_server::Service& service() { return service_; }
    const turn_server::Service& service() const { return service_; }

    void handle_client(const turn::ClientFlow& flow, BytesView message);
    void handle_peer(std::uint32_t index, const drivers::UdpSocketSet::Arrival& arrival);
    void handle_icmp(std::uint32_t index, const drivers::IcmpError& error);
    // Carries out what the core wants since; after each batch of inputs.
    void pump();
    // The wall clock was read.
    void set_wall_time();

    std::vector<turn::Usage> take_usage();

private:
    struct RelaySocket {
        turn::RelayId relay;
        drivers::UdpSocketSet::Id socket;
    };

    void carry(const turn::Relayed& result);
    void handle(const turn_server::Service::Event& event);
    void open_relay(const turn::RelayWanted& wanted);
    bool bind(turn::RelayId relay, const SocketAddress& address);
    void close(turn::RelayId relay);
    // Null where it is closed.
    RelaySocket* find(turn::RelayId relay);

    Parts parts_;
    turn_server::Service service_;
    std::vector<RelaySocket> relays_;  // by RelayId::index
    std::deque<turn::Usage> usage_;
    drivers::Timer timer_;
};

}  // namespace stile::relay
