// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "relay_service.hpp"

#include <stile/drivers/random.hpp>

#include <algorithm>

namespace stile::stiled {
namespace {

// Random ports of a range that is mostly free: a few tries find one, and a full range is noticed.
constexpr int most_port_tries = 64;

turn::PeerPolicy peer_policy(const std::vector<IpPrefix>& allowed) {
    turn::PeerPolicy policy;
    for (const IpPrefix& prefix : allowed) (void)policy.open(prefix);
    return policy;
}

turn_server::ServiceConfig service_config(const RelayService::Facts& facts) {
    turn_server::ServiceConfig config;
    config.relay.authentication.realm = facts.realm;
    config.relay.authentication.nonce_key = facts.nonce_key;
    config.relay.peers = peer_policy(facts.allow_peers);
    const auto offers = [&](AddressFamily family) {
        return std::ranges::find(facts.relay_addresses, family, &IpAddress::family) !=
                       facts.relay_addresses.end()
                   ? turn::Offer::Offered
                   : turn::Offer::NotOffered;
    };
    config.relay.ipv4 = offers(AddressFamily::V4);
    config.relay.ipv6 = offers(AddressFamily::V6);
    config.relay.relays_per_user = facts.allocations_per_user;
    config.relay.channel_range = facts.channels;
    config.own_addresses = facts.own_addresses;
    return config;
}

}  // namespace

RelayService::RelayService(drivers::Loop& loop, Facts facts)
    : loop_(loop),
      facts_(std::move(facts)),
      random_(drivers::random_seed()),
      service_(loop.now(), loop.wall_now(), service_config(facts_), random_.fork()),
      timer_(loop, [this] {
          service_.set_wall_time(loop_.now(), loop_.wall_now());
          service_.handle_timeout(loop_.now());
          pump();
      }) {
    (void)service_.credentials().set_shared_secrets({{.secret = facts_.secret}});
}

std::expected<SocketAddress, drivers::OsError> RelayService::listen(const SocketAddress& address) {
    auto socket = drivers::UdpSocket::open(loop_, address);
    if (!socket) return std::unexpected(socket.error());
    drivers::UdpSocket* const listener = socket->get();
    listener->on_datagrams([this, listener](std::span<const drivers::Datagram> batch) {
        handle_clients(*listener, batch);
    });
    listeners_.push_back(*std::move(socket));
    return listener->local_address();
}

void RelayService::handle_clients(drivers::UdpSocket&, std::span<const drivers::Datagram> batch) {
    results_.clear();
    for (const drivers::Datagram& datagram : batch) {
        const turn::ClientFlow flow{datagram.path.local, datagram.path.remote,
                                    turn::ClientTransport::Udp};
        if (auto result = service_.handle_client(loop_.now(), flow, datagram.payload)) {
            results_.push_back(*std::move(result));
        }
    }
    send(results_);
    pump();
}

void RelayService::handle_peers(turn::RelayId relay, std::span<const drivers::Datagram> batch) {
    results_.clear();
    for (const drivers::Datagram& datagram : batch) {
        if (auto result =
                service_.handle_peer(loop_.now(), relay, datagram.path.remote, datagram.payload)) {
            results_.emplace_back(*std::move(result));
        }
    }
    send(results_);
    pump();
}

// Neighbours that leave by one socket leave together.
void RelayService::send(std::span<const turn::Relayed> results) {
    std::vector<drivers::Outgoing> run;
    drivers::UdpSocket* run_socket = nullptr;
    const auto flush = [&] {
        if (run_socket != nullptr && !run.empty()) run_socket->send_batch(run);
        run.clear();
    };
    for (const turn::Relayed& result : results) {
        drivers::UdpSocket* const socket = socket_for(result);
        if (socket == nullptr) continue;
        if (socket != run_socket) flush();
        run_socket = socket;
        if (const auto* const peer = std::get_if<turn::ToPeer>(&result)) {
            run.push_back({.path = {socket->local_address(), peer->peer},
                           .payload = peer->payload,
                           .segment_size = {},
                           .prefix = {}});
        } else {
            const auto& client = std::get<turn::ToClient>(result);
            run.push_back({.path = {client.flow.local, client.flow.remote},
                           .payload = client.payload,
                           .segment_size = {},
                           .prefix = client.prefix()});
        }
    }
    flush();
}

drivers::UdpSocket* RelayService::socket_for(const turn::Relayed& result) {
    if (const auto* const peer = std::get_if<turn::ToPeer>(&result)) {
        const auto relay = relays_.find(peer->relay);
        return relay == relays_.end() ? nullptr : relay->second.get();
    }
    // The listener that the client's datagrams come to: at its address, or everywhere.
    const SocketAddress& local = std::get<turn::ToClient>(result).flow.local;
    for (const auto& listener : listeners_) {
        const SocketAddress bound = listener->local_address();
        const bool fits = bound.ip == local.ip ||
                          (bound.ip.is_unspecified() && bound.ip.family() == local.ip.family());
        if (fits && bound.port == local.port) return listener.get();
    }
    return nullptr;
}

// Opening a relay queues its answer, and an answer may come with an event.
void RelayService::pump() {
    for (;;) {
        if (const auto transmit = service_.poll_transmit()) {
            send_answer(*transmit);
        } else if (const auto event = service_.poll_event()) {
            handle(*event);
        } else {
            break;
        }
    }
    timer_.arm(service_.poll_timeout());
}

void RelayService::send_answer(const turn_server::Service::Transmit& answer) {
    const turn::Relayed whole = turn::ToClient{.flow = answer.flow,
                                               .prefix_octets = {},
                                               .prefix_size = 0,
                                               .padding = 0,
                                               .payload = answer.message};
    send({&whole, 1});
}

void RelayService::handle(const turn_server::Service::Event& event) {
    if (const auto* const wanted = std::get_if<turn::RelayWanted>(&event)) {
        open_relay(*wanted);
    } else if (const auto* const closed = std::get_if<turn::RelayClosed>(&event)) {
        auto relay = relays_.extract(closed->relay);
        if (!relay) return;
        closed_.push_back(std::move(relay.mapped()));
        loop_.post([this] { closed_.clear(); });
    }
}

void RelayService::open_relay(const turn::RelayWanted& wanted) {
    const auto address =
        std::ranges::find(facts_.relay_addresses, wanted.family, &IpAddress::family);
    const std::uint32_t first = facts_.ports.first;
    const std::uint32_t count = facts_.ports.last - first + 1U;
    for (int i = 0; address != facts_.relay_addresses.end() && i < most_port_tries; ++i) {
        std::uint32_t port = first + static_cast<std::uint32_t>(random_.below(count));
        if (wanted.rule != turn::PortRule::Any) port &= ~1U;
        if (port < first || port + (wanted.next ? 1U : 0U) > facts_.ports.last) continue;
        const SocketAddress at{*address, Port{static_cast<std::uint16_t>(port)}};
        if (!open_at(wanted.relay, at)) continue;
        if (wanted.next &&
            !open_at(*wanted.next, {*address, Port{static_cast<std::uint16_t>(port + 1)}})) {
            relays_.erase(wanted.relay);
            continue;
        }
        return service_.handle_relay_opened(loop_.now(), wanted.relay, public_address(at));
    }
    service_.handle_relay_failed(loop_.now(), wanted.relay);
}

bool RelayService::open_at(turn::RelayId relay, const SocketAddress& address) {
    auto socket = drivers::UdpSocket::open(loop_, address);
    if (!socket) return false;
    (*socket)->on_datagrams(
        [this, relay](std::span<const drivers::Datagram> batch) { handle_peers(relay, batch); });
    relays_[relay] = *std::move(socket);
    return true;
}

SocketAddress RelayService::public_address(SocketAddress address) const {
    const auto found =
        std::ranges::find(facts_.public_addresses, address.ip.family(), &IpAddress::family);
    if (found != facts_.public_addresses.end()) address.ip = *found;
    return address;
}

}  // namespace stile::stiled
