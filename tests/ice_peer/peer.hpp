// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "streams.hpp"

#include <stile/connect/connector.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/multicast_dns.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stile::ice_peer {

struct Settings {
    std::vector<IpAddress> addresses;  // a socket each
    connect::ConnectorConfig connector;
    enum class Tcp : std::uint8_t { No, Listens };
    Tcp tcp = Tcp::No;     // two listeners an address
    std::string greeting;  // sent on each new route; empty: nothing
    enum class Echo : std::uint8_t { No, Yes };
    Echo echo = Echo::No;
    // What the peer is told of this host: addresses, or names of multicast DNS in their place.
    enum class Hosts : std::uint8_t { Addresses, Names };
    Hosts hosts = Hosts::Addresses;
};

// One Connector on sockets, told what to do by lines of SDP and of words, telling what happens in
// lines of JSON. main.cpp lists both.
class Peer {
public:
    Peer(drivers::Loop& loop, Settings settings);

    // One line of input; what is not understood is said so on the output.
    void handle_line(std::string_view line);
    // Gives the relays back; `done` comes when they are, or a second later.
    void close(std::move_only_function<void()> done);

private:
    connect::ConnectorConfig open_sockets();
    connect::Concealment concealment();
    void pump();
    void send(const Transmit& datagram);
    void take(const connect::Received& received);
    void handle(const connect::Event& event);
    void handle(const connect::RouteChanged& changed);
    void handle(std::span<const drivers::Datagram> batch);
    bool handle_sdp(std::string_view line);
    void look_for(const std::string& name);
    void take_credentials(const connect::Description& remote);
    void tell_description();
    void tell_state();
    void tell_pairs() const;
    void finish_when_released();

    drivers::Loop& loop_;
    Settings settings_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> sockets_;
    drivers::MulticastDns names_;
    Streams streams_;
    connect::Connector connector_;
    connect::Description remote_;  // until both credentials are there
    ice::State told_state_ = ice::State::Waiting;
    std::move_only_function<void()> done_;
    drivers::Timer timer_;
    enum class Pumping : std::uint8_t { No, Yes } pumping_ = Pumping::No;
    drivers::Timer closing_;
};

}  // namespace stile::ice_peer
