// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client_output.hpp"
#include "kernel_path.hpp"
#include "relay_ports.hpp"
#include "tcp_relays.hpp"

#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket_set.hpp>
#include <stile/relay/handover.hpp>
#include <stile/turn_server/service.hpp>

#include <deque>
#include <functional>
#include <set>
#include <vector>

namespace stile::relay {

// One tenant on one shard: its core and the sockets of its relays.
class TenantFront {
public:
    struct Parts {
        drivers::Loop& loop;
        drivers::UdpSocketSet& sockets;
        ClientOutput& clients;
        RelayPorts& ports;
        turn::RelayDirectory& directory;
        KernelOffload* kernel;  // null without a kernel path
        std::uint8_t shard;
        std::size_t tenant;
        std::uint64_t relay_tag;  // of its relays' sockets; the low 32 bits are the relay's index
    };

    TenantFront(Parts parts, const turn_server::ServiceConfig& config, crypto::RandomStream random);

    // All but the shard, from now on. The credentials are the caller's to fill.
    void reconfigure(const turn_server::ServiceConfig& config);
    // Before copy(): answers what another process could not.
    void settle();
    // Adds what another process needs to go on with the allocations that `may_leave` allows, and
    // changes nothing. The flows of the others are added to `staying`.
    using MayLeave = std::move_only_function<bool(const turn::ClientFlow&)>;
    void copy(HandedShard& handed, MayLeave may_leave, std::set<turn::ClientFlow>& staying);
    // Another process has what copy() gave: forgotten here.
    void leave();
    // Continues what another process had; `handed` is of this tenant alone.
    void resume(const turn::Snapshot& state, std::vector<HandedRelay> relays,
                std::vector<HandedConnection> connections);

    turn_server::Service& service() { return service_; }
    const turn_server::Service& service() const { return service_; }

    void handle_client(const turn::ClientFlow& flow, BytesView message);
    void handle_peer(std::uint32_t index, const drivers::UdpSocketSet::Arrival& arrival);
    void handle_icmp(std::uint32_t index, const drivers::IcmpError& error);
    // Carries out what the core wants since; after each batch of inputs.
    void pump();
    // What the kernel carried past the core.
    void handle_offloaded(turn::RelayId relay, const turn::Traffic& carried);
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
    void join(const turn::ConnectionJoined& joined);
    void close(turn::RelayId relay);
    // Null where it is closed.
    RelaySocket* find(turn::RelayId relay);
    const RelaySocket* find(turn::RelayId relay) const;

    KernelOffload::Place place_of(turn::RelayId relay) const;
    void open_channel(const turn::ChannelOpened& opened);

    bool copy(const turn::Snapshot::Allocation& allocation, HandedShard& handed) const;
    bool copy_relay(turn::RelayId relay, turn::RelayProtocol protocol, HandedShard& handed) const;
    drivers::UdpSocketSet::Options socket_options(turn::RelayId relay) const;
    void adopt(turn::RelayId relay, drivers::UdpSocketSet::Id socket);

    Parts parts_;
    KernelOffload::Rates rates_;
    std::string realm_;
    turn_server::Service service_;
    std::vector<RelaySocket> relays_;  // by RelayId::index
    TcpRelays tcp_;
    std::deque<turn::Usage> usage_;
    bool pumping_ = false;
    turn::Snapshot copied_;  // what copy() gave
    drivers::Timer timer_;
};

}  // namespace stile::relay
