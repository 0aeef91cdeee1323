// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/stun/connection_mapping_discovery.hpp>

#include <deque>
#include <memory>
#include <optional>

namespace stile::nat_probe {

// How NATs map TCP connections: stun::ConnectionMappingDiscovery with real ones, from one local
// port, all of which stay open as long as this. Begins at once.
class ConnectionProbe {
public:
    using Findings = stun::ConnectionMappingDiscovery::Findings;
    struct Config {
        IpAddress local;
        SocketAddress server;
        Duration patience = std::chrono::seconds{10};  // of one of the three tests
    };

    ConnectionProbe(drivers::Loop& loop, const Config& config, crypto::RandomStream random);

    const std::optional<Findings>& findings() const { return findings_; }  // once all is known
    SocketAddress local() const { return from_; }
    // The last connection that failed, where one did.
    const std::optional<drivers::Closed>& closed() const { return closed_; }

private:
    void pump();
    void connect(const SocketAddress& target);

    drivers::Loop& loop_;
    Duration patience_;
    SocketAddress from_;  // the first connection's port, for the others too
    stun::ConnectionMappingDiscovery machine_;
    drivers::Timer timer_;
    std::deque<std::unique_ptr<drivers::TcpStream>> streams_;
    std::optional<Findings> findings_;
    std::optional<drivers::Closed> closed_;
};

}  // namespace stile::nat_probe
