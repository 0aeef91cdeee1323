// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What the paths of the node's sessions are made of: relays, sockets, ports of routers.
#include "home.hpp"
#include "node.hpp"

#include <stile/stun/message_view.hpp>

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
                                           std::vector<connect::Listener> listeners) {
    connect::ConnectorConfig config;
    config.hosts = std::move(hosts);
    config.sockets = connect::Sockets::Shared;
    if (mappings_) {
        for (const drivers::MappedPort& mapped : mappings_->mapped()) {
            const bool is_shared = mapped.protocol == portmap::Protocol::Udp;
            if (is_shared) config.mapped_ports.push_back(to_path(mapped));
        }
    }
    config.listeners = std::move(listeners);
    if (access_state_ == AccessState::Asked) {
        config.servers = connect::Servers::ToCome;
    } else {
        config.stun_servers = access_.stun_servers;
        config.turn_servers = access_.turn_servers;
    }
    config.nat64_prefix = nat64_.prefix();
    if (address_hiding_wanted()) config.concealment = concealment();
    if (loopback_admitted()) config.loopback = connect::LoopbackCandidates::Admitted;
    return config;
}

// The routers are asked before anybody else: they are the nearest, and whoever describes the path
// does not wait for them.
void Node::open_sockets() {
    look_for_nat64();
    follow_addresses();
}

void Node::handle_datagrams(std::span<const drivers::Datagram> batch) {
    std::vector<session::SessionId> heard;
    for (const drivers::Datagram& datagram : batch) {
        const auto found = endpoint_.receivers(loop_.now(), datagram.path, datagram.payload);
        const std::vector<session::SessionId> receivers{found.begin(), found.end()};
        for (const session::SessionId session : receivers) {
            const auto entry = entries_.find(session);
            if (entry == entries_.end()) continue;
            Link& link = *entry->second.link;
            // Two sessions with one peer: its connections' ids tell the one from the other.
            const bool is_data = !stun::looks_like_stun(datagram.payload);
            if (receivers.size() > 1 && is_data && !link.owns(datagram.payload)) continue;
            handle_datagram(link, datagram.path, datagram.payload);
            if (heard.empty() || heard.back() != session) heard.push_back(session);
            if (is_data) break;
        }
    }
    for (const session::SessionId session : heard) {
        const auto entry = entries_.find(session);
        if (entry != entries_.end()) entry->second.link->pump();
    }
}

void Node::handle_datagram(Link& link, const Path& path, BytesView datagram) {
    const auto received = endpoint_.handle_datagram(loop_.now(), link.session(), path, datagram);
    if (received) link.handle_payload(received->payload);
    if (!received || endpoint_.has_event()) pump();
}

// A network without IPv4 may have a NAT64. A session that begins before the answer does without.
void Node::look_for_nat64() {
    if (std::ranges::none_of(candidate_addresses(), &IpAddress::is_v4)) nat64_.look();
}

// draft-ietf-mmusic-mdns-ice-candidates: others than these names are not looked for, so that no
// peer learns what else there is on this network.
void Node::look_for_name(session::SessionId session, const std::string& name) {
    const auto tell = [this, session, name](std::optional<IpAddress> address) {
        endpoint_.handle_name(loop_.now(), session, name, address);
        pump();
    };
    const auto wanted = mdns::HostName::parse(name);
    if (wanted) {
        local_names_.resolve(*wanted, tell);
    } else {
        tell(std::nullopt);
    }
}

connect::Concealment Node::concealment() {
    connect::Concealment names;
    for (const IpAddress& address : candidate_addresses()) {
        if (const auto name = local_names_.name_of(address)) {
            names.names.push_back({address, name->text()});
        }
    }
    return names;
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

// The UDP ports stay for other sessions.
void Node::unmap_ports(const Entry& entry) {
    if (!mappings_) return;
    for (const SocketAddress& listener : entry.streams->listening_at()) {
        mappings_->unmap(listener, portmap::Protocol::Tcp);
    }
}

}  // namespace stile::peer
