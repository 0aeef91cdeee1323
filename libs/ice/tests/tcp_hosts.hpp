// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network.hpp"

namespace stile::ice::testing {

// Each with its UDP socket, if it has one, and what it says it can do over TCP.
struct TcpHosts {
    Network network;
    Peer left;
    Peer right;

    explicit TcpHosts(AgentConfig config = {}, std::uint64_t seed = 1)
        : left(config, seed), right(controlled(config), seed + 1000) {
        network.join(left);
        network.join(right);
    }
    static AgentConfig controlled(AgentConfig config) {
        config.role = Role::Controlled;
        return config;
    }
    void add_active_and_passive() {
        for (const TcpType type : {TcpType::Active, TcpType::Passive}) {
            left.add_tcp(network.now, "192.0.2.1:1100", type);
            right.add_tcp(network.now, "203.0.113.1:2100", type);
        }
    }
    // The left one connects to the right one.
    void add_active_to_passive() {
        left.add_tcp(network.now, "192.0.2.1:9", TcpType::Active);
        right.add_tcp(network.now, "203.0.113.1:2100", TcpType::Passive);
    }
    void add_udp() {
        left.add_host(network.now, "192.0.2.1:1000");
        right.add_host(network.now, "203.0.113.1:2000");
    }
    void start_checks() { exchange(network.now, left, right); }
    bool connected() const {
        return left.agent.state() == State::Completed && right.agent.state() == State::Completed;
    }
    bool over_tcp() const {
        const auto ours = left.agent.selected_flow();
        const auto theirs = right.agent.selected_flow();
        return ours && theirs && ours->connection && theirs->connection;
    }
};

inline Path reversed(const Path& path) { return {.local = path.remote, .remote = path.local}; }

inline std::vector<Packet> requests_of(const Network& network, const Peer& peer) {
    std::vector<Packet> found;
    for (const Packet& packet : network.log) {
        if (packet.sender == &peer && packet.is_request()) found.push_back(packet);
    }
    return found;
}

}  // namespace stile::ice::testing
