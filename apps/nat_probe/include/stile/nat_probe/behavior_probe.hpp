// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/nat_probe/datagram_drive.hpp>
#include <stile/stun/behavior_discovery.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace stile::nat_probe {

// RFC 5780 from one socket that it owns: stun::BehaviorDiscovery with real datagrams. Begins at
// once; others may use the same loop meanwhile.
class BehaviorProbe {
public:
    using Findings = stun::BehaviorDiscovery::Findings;

    BehaviorProbe(drivers::Loop& loop, std::unique_ptr<drivers::UdpSocket> socket,
                  const SocketAddress& server, stun::RetransmitSchedule schedule,
                  crypto::RandomStream random);

    const std::optional<Findings>& findings() const { return findings_; }  // once all is known
    SocketAddress local() const { return sockets_.front()->local_address(); }

private:
    struct Notify {
        BehaviorProbe* probe;
        void operator()(const Findings& found) const { probe->findings_ = found; }
    };

    std::vector<std::unique_ptr<drivers::UdpSocket>> sockets_;
    stun::BehaviorDiscovery machine_;
    std::optional<Findings> findings_;
    DatagramDrive<stun::BehaviorDiscovery, Notify> drive_;
};

}  // namespace stile::nat_probe
