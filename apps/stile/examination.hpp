// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "account.hpp"
#include "dialer.hpp"
#include "server_api.hpp"

#include <stile/drivers/dns.hpp>
#include <stile/drivers/port_mappings.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/nat_probe/behavior_probe.hpp>
#include <stile/nat_probe/connection_probe.hpp>
#include <stile/nat_probe/diagnosis.hpp>
#include <stile/nat_probe/nat64_search.hpp>
#include <stile/nat_probe/relay_probe.hpp>
#include <stile/nat_probe/stream_relay_probe.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::peer {

// Whom an examination may ask.
struct ExaminationConfig {
    std::optional<Account> account;
    std::vector<SocketAddress> stun_servers;  // beside those of the account's server
    enum class Scope : std::uint8_t {
        Everything,
        NatAlone,  // what explains why a path came about or did not
    };
    Scope scope = Scope::Everything;
};

// Looks at this host's network from all sides at once: addresses, the server by each transport, the
// clock, UDP and the NAT, a relay, port mapping. Every probe has a time of its own; the whole ends
// after `patience`, and what has not answered by then is told as that.
class Examination {
public:
    static constexpr Duration patience = std::chrono::seconds{9};

    Examination(drivers::Loop& loop, ExaminationConfig config);
    ~Examination();

    bool done() const;
    // Gives back what was asked of routers and relays, and calls once, soon.
    void stop(drivers::Task then);
    // What is known so far.
    nat_probe::NetworkFindings findings() const;

private:
    struct TlsProbe;

    void find_addresses();
    void look_for_nat64();
    void find_server();
    void reach_server();
    void shake_hands(std::unique_ptr<TlsProbe>& probe, Port port, drivers::TlsClientConfig config);
    void ask_access();
    void ask_stun(const SocketAddress& server);
    void guess_stun();
    void ask_relay(const connect::TurnServer& server);
    void ask_stream_relay(const connect::TurnServer& server);
    void ask_gateways();
    void note_mapped(const drivers::MappedPort& mapped);
    std::optional<IpAddress> source_for(const SocketAddress& server) const;

    drivers::Loop& loop_;
    ExaminationConfig config_;
    crypto::RandomStream random_;
    drivers::Resolver resolver_;
    nat_probe::Nat64Search nat64_;
    ServerApi api_;
    Dialer dialer_;
    drivers::Timer deadline_;
    bool over_ = false;
    unsigned asked_ = 0;  // questions that are not answered yet
    nat_probe::NetworkFindings found_;
    std::unique_ptr<TlsProbe> https_;
    std::unique_ptr<TlsProbe> sips_;
    std::vector<std::unique_ptr<nat_probe::BehaviorProbe>> udp_;
    std::vector<SocketAddress> udp_servers_;  // of udp_
    std::unique_ptr<nat_probe::ConnectionProbe> tcp_;
    SocketAddress tcp_server_;
    std::unique_ptr<nat_probe::RelayProbe> relay_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> mapped_sockets_;
    std::unique_ptr<drivers::TcpListener> mapped_listener_;
    std::vector<std::unique_ptr<nat_probe::StreamRelayProbe>> stream_relays_;
    std::unique_ptr<drivers::PortMappings> mappings_;
    drivers::Timer mapping_deadline_;
    std::optional<IpAddress> server_ip_;
    drivers::Timer guess_timer_;  // while the server has not said where its STUN is
};

}  // namespace stile::peer
