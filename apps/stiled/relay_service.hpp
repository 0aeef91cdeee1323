// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.hpp"

#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/turn_server/service.hpp>

#include <array>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stile::stiled {

// STUN and TURN over UDP: the sockets around turn_server::Service.
class RelayService {
public:
    struct Facts {
        std::string realm;
        std::string secret;  // shared with whoever hands out time-limited credentials
        std::array<std::byte, 32> nonce_key{};
        std::vector<IpAddress> own_addresses;
        std::vector<IpAddress> relay_addresses;   // where relays are opened: at most one a family
        std::vector<IpAddress> public_addresses;  // what peers see instead, behind 1:1 NAT
        PortRange ports;
        std::uint32_t allocations_per_user = 16;
        std::vector<IpPrefix> allow_peers;
        turn::ChannelRange channels = turn::ChannelRange::Rfc8656;
    };

    RelayService(drivers::Loop& loop, Facts facts);

    std::expected<SocketAddress, drivers::OsError> listen(const SocketAddress& address);
    const turn_server::Service& service() const { return service_; }

private:
    void handle_clients(drivers::UdpSocket& listener, std::span<const drivers::Datagram> batch);
    void handle_peers(turn::RelayId relay, std::span<const drivers::Datagram> batch);
    void open_relay(const turn::RelayWanted& wanted);
    bool open_at(turn::RelayId relay, const SocketAddress& address);
    SocketAddress public_address(SocketAddress address) const;
    void send(std::span<const turn::Relayed> results);
    drivers::UdpSocket* socket_for(const turn::Relayed& result);
    void pump();
    void send_answer(const turn_server::Service::Transmit& answer);
    void handle(const turn_server::Service::Event& event);

    drivers::Loop& loop_;
    Facts facts_;
    crypto::RandomStream random_;
    turn_server::Service service_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> listeners_;
    std::map<turn::RelayId, std::unique_ptr<drivers::UdpSocket>> relays_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> closed_;  // until no callback of theirs runs
    std::vector<turn::Relayed> results_;
    drivers::Timer timer_;
};

}  // namespace stile::stiled
