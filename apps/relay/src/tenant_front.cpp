// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tenant_front.hpp"

#include "limits.hpp"

#include <algorithm>

namespace stile::relay {

namespace {

using Set = drivers::UdpSocketSet;

// Calls `take` for each datagram of what the kernel may have merged.
template <class Take>
void for_each_datagram(const Set::Arrival& arrival, Take take) {
    BytesView rest = arrival.payload;
    do {
        const BytesView datagram = rest.first(std::min(arrival.segment_size, rest.size()));
        rest = rest.subspan(datagram.size());
        take(datagram);
    } while (!rest.empty());
}

}  // namespace

TenantFront::TenantFront(Parts parts, const turn_server::ServiceConfig& config,
                         crypto::RandomStream random)
    : parts_(parts),
      rates_{.bandwidth = config.relay.user_bandwidth, .packets = config.relay.user_packets},
      realm_(config.relay.authentication.realm),
      service_(parts.loop.now(), parts.loop.wall_now(), config, std::move(random)),
      tcp_(parts.loop, service_, parts.directory, [this] { pump(); }),
      timer_(parts.loop, [this] {
          service_.handle_timeout(parts_.loop.now());
          pump();
      }) {}

void TenantFront::reconfigure(const turn_server::ServiceConfig& config) {
    rates_ = {.bandwidth = config.relay.user_bandwidth, .packets = config.relay.user_packets};
    realm_ = config.relay.authentication.realm;
    service_.reconfigure(parts_.loop.now(), config);
    pump();
}

void TenantFront::handle_client(const turn::ClientFlow& flow, BytesView message) {
    if (const auto result = service_.handle_client(parts_.loop.now(), flow, message)) {
        carry(*result);
    }
}

void TenantFront::handle_peer(std::uint32_t index, const Set::Arrival& arrival) {
    if (index >= relays_.size()) return;
    const turn::RelayId relay = relays_[index].relay;
    const Instant now = parts_.loop.now();
    for_each_datagram(arrival, [&](BytesView datagram) {
        if (const auto message = service_.handle_peer(now, relay, arrival.path.remote, datagram)) {
            parts_.clients.send_to_client(*message);
        }
    });
}

void TenantFront::handle_icmp(std::uint32_t index, const drivers::IcmpError& error) {
    if (index >= relays_.size()) return;
    service_.handle_icmp(
        parts_.loop.now(), relays_[index].relay, error.destination,
        {.icmp_type = error.type, .icmp_code = error.code, .error_data = error.data});
    pump();
}

void TenantFront::carry(const turn::Relayed& result) {
    if (const auto* const message = std::get_if<turn::ToClient>(&result)) {
        return parts_.clients.send_to_client(*message);
    }
    const auto& datagram = std::get<turn::ToPeer>(result);
    const RelaySocket* const relay = find(datagram.relay);
    if (relay == nullptr) return;
    parts_.sockets.send({.from = relay->socket,
                         .path = {.local = {}, .remote = datagram.peer},
                         .prefix = {},
                         .payload = datagram.payload,
                         .fragmentation = datagram.fragmentation == turn::Fragmentation::Forbidden
                                              ? Set::Fragmentation::Forbidden
                                              : Set::Fragmentation::Allowed});
}

// Opening a relay queues its answer, and an answer may come with an event.
void TenantFront::pump() {
    // What an event causes is seen by the outer call.
    if (std::exchange(pumping_, true)) return;
    for (;;) {
        if (const auto transmit = service_.poll_transmit()) {
            parts_.clients.send_answer(transmit->flow, transmit->message);
        } else if (const auto event = service_.poll_event()) {
            handle(*event);
        } else {
            break;
        }
    }
    pumping_ = false;
    timer_.arm(service_.poll_timeout());
}

KernelOffload::Place TenantFront::place_of(turn::RelayId relay) const {
    return {.shard = parts_.shard, .tenant = parts_.tenant, .relay = relay};
}

void TenantFront::open_channel(const turn::ChannelOpened& opened) {
    const RelaySocket* const relay = find(opened.relay);
    if (parts_.kernel == nullptr || relay == nullptr) return;
    // ICMP errors about what the kernel sends come to this socket.
    parts_.sockets.set_up(relay->socket);
    parts_.kernel->open_channel(place_of(opened.relay), opened,
                                parts_.sockets.local_address(relay->socket), rates_);
}

void TenantFront::handle_offloaded(turn::RelayId relay, const turn::Traffic& carried) {
    service_.handle_offloaded(parts_.loop.now(), relay, carried);
    pump();
}

void TenantFront::set_wall_time() {
    service_.set_wall_time(parts_.loop.now(), parts_.loop.wall_now());
}

void TenantFront::handle(const turn_server::Service::Event& event) {
    struct Handler {
        TenantFront& self;
        void operator()(const turn::RelayWanted& wanted) const { self.open_relay(wanted); }
        void operator()(const turn::RelayClosed& closed) const {
            self.close(closed.relay);
            self.tcp_.close(closed.relay);
        }
        void operator()(const turn::Server::AllocationOpened& opened) const {
            self.parts_.clients.allocation_opened(opened.flow);
        }
        void operator()(const turn::Server::AllocationClosed& closed) const {
            if (self.usage_.size() == most_usage_records) self.usage_.pop_front();
            self.usage_.push_back(closed.usage);
            self.parts_.clients.allocation_closed(closed.usage.session.flow);
        }
        void operator()(const turn::Server::AllocationMoved& moved) const {
            self.parts_.clients.allocation_moved(moved.from, moved.to);
        }
        void operator()(const turn::ConnectionWanted& wanted) const { self.tcp_.connect(wanted); }
        void operator()(const turn::ConnectionJoined& joined) const { self.join(joined); }
        void operator()(const turn::ConnectionClosed& closed) const {
            self.tcp_.close(closed.connection);
        }
        void operator()(const turn::ChannelOpened& opened) const { self.open_channel(opened); }
        void operator()(const turn::ChannelClosed& closed) const {
            if (self.parts_.kernel == nullptr) return;
            self.parts_.kernel->close_channel(self.place_of(closed.relay), closed.channel);
        }
    };
    std::visit(Handler{*this}, event);
}

void TenantFront::join(const turn::ConnectionJoined& joined) {
    StreamFront::Taken client = parts_.clients.take_connection(joined.data_flow);
    if (!client.stream) {
        tcp_.close(joined.connection);
        return service_.handle_connection_gone(parts_.loop.now(), joined.connection);
    }
    tcp_.join(joined.connection, std::move(client.stream), client.unread);
}

void TenantFront::open_relay(const turn::RelayWanted& wanted) {
    const bool tcp = wanted.protocol == turn::RelayProtocol::Tcp;
    const auto address = parts_.ports.open(
        wanted,
        [this, &wanted](const SocketAddress& at) {
            return parts_.directory.contains(parts_.ports.external(at), wanted.protocol);
        },
        [this, tcp](turn::RelayId relay, const SocketAddress& at) {
            return tcp ? tcp_.listen(relay, at) : bind(relay, at);
        },
        [this](turn::RelayId relay) { close(relay); });
    const Instant now = parts_.loop.now();
    if (!address) return service_.handle_relay_failed(now, wanted.relay);
    service_.handle_relay_opened(now, wanted.relay, parts_.ports.external(*address));
}

drivers::UdpSocketSet::Options TenantFront::socket_options(turn::RelayId relay) const {
    return {.setup = Set::Setup::AtFirstUse,
            .icmp_errors = drivers::UdpOptions::IcmpErrors::Reported,
            .tag = parts_.relay_tag | relay.index};
}

bool TenantFront::bind(turn::RelayId relay, const SocketAddress& address) {
    const auto socket = parts_.sockets.open(address, socket_options(relay));
    if (!socket) return false;
    adopt(relay, *socket);
    return true;
}

void TenantFront::adopt(turn::RelayId relay, Set::Id socket) {
    if (relay.index >= relays_.size()) relays_.resize(relay.index + 1);
    relays_[relay.index] = {relay, socket};
    if (parts_.kernel == nullptr) return;
    const SocketAddress local = parts_.sockets.local_address(socket);
    parts_.kernel->relay_opened(local, parts_.ports.external(local));
}

void TenantFront::close(turn::RelayId relay) {
    RelaySocket* const found = find(relay);
    if (found == nullptr) return;
    if (parts_.kernel != nullptr) {
        const SocketAddress local = parts_.sockets.local_address(found->socket);
        parts_.kernel->relay_closed(place_of(relay), local, parts_.ports.external(local));
    }
    parts_.sockets.close(found->socket);
    *found = {};
}

TenantFront::RelaySocket* TenantFront::find(turn::RelayId relay) {
    if (relay.index >= relays_.size() || relays_[relay.index].relay != relay) return nullptr;
    return &relays_[relay.index];
}

const TenantFront::RelaySocket* TenantFront::find(turn::RelayId relay) const {
    return const_cast<TenantFront*>(this)->find(relay);
}

std::vector<turn::Usage> TenantFront::take_usage() {
    std::vector<turn::Usage> taken{std::make_move_iterator(usage_.begin()),
                                   std::make_move_iterator(usage_.end())};
    usage_.clear();
    return taken;
}

}  // namespace stile::relay
