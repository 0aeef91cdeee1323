// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What the paths of the node's sessions are made of: relays, sockets, ports of routers.
#include "home.hpp"
#include "node.hpp"

#include <algorithm>

namespace stile::peer {
namespace {

constexpr Duration access_retry = std::chrono::minutes{1};

connect::MappedPort to_path(const drivers::MappedPort& mapped) {
    return {.host = mapped.socket,
            .external = mapped.external,
            .gateway = mapped.gateway,
            .transport = mapped.protocol == portmap::Protocol::Udp ? ice::Transport::Udp
                                                                   : ice::Transport::Tcp};
}

}  // namespace

// Relay credentials are asked for when they are needed and kept while they are fresh. Nobody waits
// for them: a session begins without, and gets them when they come. A server that does not hand
// them out costs the relay, not the session.
void Node::want_access() {
    if (access_state_ == AccessState::Asked) return;
    if (access_state_ != AccessState::None && loop_.now() < access_until_) return;
    access_state_ = AccessState::Asked;
    api_.relay_access(account_, [this](auto access) {
        if (access) {
            access_ = *std::move(access);
            access_until_ = loop_.now() + access_.valid / 2;
            access_state_ = AccessState::Known;
        } else {
            access_ = {};
            access_until_ = loop_.now() + access_retry;
            access_state_ = AccessState::Failed;
            if (handlers_.on_trouble) handlers_.on_trouble(access.error());
        }
        endpoint_.handle_servers(loop_.now(), access_.stun_servers, access_.turn_servers);
        pump();
    });
}

connect::ConnectorConfig Node::path_config(std::vector<SocketAddress> hosts,
                                           std::vector<connect::Listener> listeners) const {
    connect::ConnectorConfig config;
    config.hosts = std::move(hosts);
    config.listeners = std::move(listeners);
    if (access_state_ == AccessState::Asked) {
        config.servers = connect::Servers::ToCome;
    } else {
        config.stun_servers = access_.stun_servers;
        config.turn_servers = access_.turn_servers;
    }
    config.nat64_prefix = nat64_.prefix();
    if (loopback_admitted()) config.loopback = connect::LoopbackCandidates::Admitted;
    return config;
}

// The routers are asked before anybody else: they are the nearest, and whoever describes the path
// does not wait for them.
std::vector<SocketAddress> Node::open_sockets(Link& link) {
    look_for_nat64();
    auto opened = link.open_sockets(candidate_addresses());
    if (mappings_) {
        for (const SocketAddress& socket : opened) mappings_->map(socket);
    }
    return opened;
}

// A network without IPv4 may have a NAT64. A session that begins before the answer does without.
void Node::look_for_nat64() {
    if (std::ranges::none_of(candidate_addresses(), &IpAddress::is_v4)) nat64_.look();
}

void Node::begin_port_mapping() {
    if (!port_mapping_wanted()) return;
    mappings_.emplace(loop_, drivers::PortMappingsOptions{},
                      drivers::PortMappings::Handlers{
                          .on_mapped =
                              [this](const drivers::MappedPort& news) {
                                  endpoint_.handle_port_mapped(loop_.now(), to_path(news));
                                  pump();
                              },
                          .on_lost =
                              [this](const drivers::MappedPort& news) {
                                  endpoint_.handle_port_unmapped(loop_.now(), to_path(news));
                                  pump();
                              }});
}

// What is open already when a session begins, for ports that it shares with others.
void Node::tell_mapped_ports() {
    if (!mappings_) return;
    for (const drivers::MappedPort& mapped : mappings_->mapped()) {
        endpoint_.handle_port_mapped(loop_.now(), to_path(mapped));
    }
}

void Node::unmap_ports(const Entry& entry) {
    if (!mappings_) return;
    for (const SocketAddress& socket : entry.link->socket_addresses()) mappings_->unmap(socket);
    for (const SocketAddress& listener : entry.streams->listening_at()) {
        mappings_->unmap(listener, portmap::Protocol::Tcp);
    }
}

}  // namespace stile::peer
