// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "shard.hpp"

#include "limits.hpp"
#include "tenant_config.hpp"

#include <stile/base/assert.hpp>
#include <stile/drivers/random.hpp>

namespace stile::relay {
namespace {

constexpr Duration clock_interval = std::chrono::seconds{10};

// The tag of a socket: what it is, and which.
constexpr std::uint64_t relay_bit = 1ULL << 63U;
constexpr unsigned tenant_shift = 32;

}  // namespace

Shard::Shard(Common& common, std::uint8_t number, const Settings& settings)
    : common_(common),
      number_(number),
      sockets_(loop_, {.on_arrivals = [this](drivers::UdpSocketSet::Id, std::uint64_t tag,
                                             auto arrivals) { handle_arrivals(tag, arrivals); },
                       .on_icmp_error =
                           [this](drivers::UdpSocketSet::Id, std::uint64_t tag,
                                  const drivers::IcmpError& error) {
                               if ((tag & relay_bit) == 0) return;
                               const auto tenant = (tag & ~relay_bit) >> tenant_shift;
                               tenants_[tenant]->handle_icmp(static_cast<std::uint32_t>(tag),
                                                             error);
                           },
                       .on_round = {}}),
      clock_timer_(loop_, [this] {
          for (const auto& tenant : tenants_) tenant->set_wall_time();
          clock_timer_.arm_after(clock_interval);
      }) {
    crypto::RandomStream random{drivers::random_seed()};
    ports_ = std::make_unique<RelayPorts>(settings.relay_addresses, settings.ports, random.fork());
    for (std::size_t i = 0; i < settings.tenants.size(); ++i) {
        tenants_.push_back(std::make_unique<TenantFront>(
            TenantFront::Parts{.loop = loop_,
                               .sockets = sockets_,
                               .clients = *this,
                               .ports = *ports_,
                               .relay_tag = relay_bit | std::uint64_t{i} << tenant_shift},
            service_config(settings, settings.tenants[i], number_, common_.directory),
            random.fork()));
        const bool filled =
            fill_credentials(tenants_.back()->service().credentials(), settings.tenants[i]);
        STILE_ASSERT(filled);
    }
    clock_timer_.arm_after(clock_interval);
}

Shard::~Shard() {
    if (!thread_.joinable()) return;
    loop_.post([this] { loop_.stop(); });
    thread_.join();
}

void Shard::run() {
    thread_ = std::thread{[this] { loop_.run(); }};
}

std::expected<SocketAddress, StartError> Shard::listen(const Listener& listener) {
    const auto socket =
        sockets_.open(listener.address, {.senders = drivers::UdpSocketSet::Senders::Many,
                                         .reuse_port = drivers::UdpOptions::ReusePort::Yes,
                                         .receive_buffer = 4'194'304,
                                         .send_buffer = 1'048'576,
                                         .tag = udp_listeners_.size()});
    if (!socket) {
        return std::unexpected(
            StartError{.what = "cannot listen on " + listener.address.to_string() + " (UDP)",
                       .cause = socket.error().text});
    }
    const SocketAddress address = sockets_.local_address(*socket);
    udp_listeners_.push_back({address, *socket, listener.tenant});
    return address;
}

void Shard::handle_arrivals(std::uint64_t tag,
                            std::span<const drivers::UdpSocketSet::Arrival> arrivals) {
    if ((tag & relay_bit) == 0) return handle_clients(udp_listeners_[tag], arrivals);
    TenantFront& tenant = *tenants_[(tag & ~relay_bit) >> tenant_shift];
    for (const auto& arrival : arrivals) {
        tenant.handle_peer(static_cast<std::uint32_t>(tag), arrival);
    }
}

void Shard::handle_clients(const UdpListener& listener,
                           std::span<const drivers::UdpSocketSet::Arrival> arrivals) {
    TenantFront& tenant = *tenants_[listener.tenant];
    for (const auto& arrival : arrivals) {
        const turn::ClientFlow flow{arrival.path.local, arrival.path.remote,
                                    turn::ClientTransport::Udp};
        BytesView rest = arrival.payload;
        do {
            const BytesView datagram = rest.first(std::min(arrival.segment_size, rest.size()));
            rest = rest.subspan(datagram.size());
            tenant.handle_client(flow, datagram);
        } while (!rest.empty());
    }
    tenant.pump();
}

void Shard::send_to_client(const turn::ToClient& message) {
    const UdpListener* const listener = listener_of(message.flow.local);
    if (listener == nullptr) return;
    sockets_.send({.from = listener->socket,
                   .path = {.local = message.flow.local, .remote = message.flow.remote},
                   .prefix = message.prefix(),
                   .payload = message.payload,
                   .padding = message.padding});
}

void Shard::send_answer(const turn::ClientFlow& flow, BytesView message) {
    const UdpListener* const listener = listener_of(flow.local);
    if (listener == nullptr) return;
    sockets_.send({.from = listener->socket,
                   .path = {.local = flow.local, .remote = flow.remote},
                   .prefix = {},
                   .payload = message});
    sockets_.flush();
}

// The listener that the client's datagrams come to: at its address, or everywhere.
const Shard::UdpListener* Shard::listener_of(const SocketAddress& local) const {
    for (const UdpListener& listener : udp_listeners_) {
        const bool fits =
            listener.address.ip == local.ip || (listener.address.ip.is_unspecified() &&
                                                listener.address.ip.family() == local.ip.family());
        if (fits && listener.address.port == local.port) return &listener;
    }
    return nullptr;
}

void Shard::add_statistics(Statistics& sum) const {
    for (const auto& tenant : tenants_) {
        const turn_server::Service& service = tenant->service();
        const turn::ServerCounters& relay = service.relay_counters();
        sum.relay.packets_to_peers += relay.packets_to_peers;
        sum.relay.octets_to_peers += relay.octets_to_peers;
        sum.relay.packets_to_clients += relay.packets_to_clients;
        sum.relay.octets_to_clients += relay.octets_to_clients;
        sum.relay.allocations_made += relay.allocations_made;
        sum.relay.requests_refused += relay.requests_refused;
        for (std::size_t i = 0; i < relay.dropped.size(); ++i) {
            sum.relay.dropped[i] += relay.dropped[i];
        }
        sum.binding_answers += service.counters().binding_answers;
        sum.strangers_answered += service.counters().strangers_answered;
        sum.strangers_silenced += service.counters().strangers_silenced;
        sum.allocations += service.allocations();
        sum.relays += service.relays();
    }
    for (const UdpListener& listener : udp_listeners_) {
        sum.receive_queue_drops += sockets_.kernel_drops(listener.socket);
    }
    sum.send_errors += sockets_.counters().send_errors + sockets_.counters().send_drops;
}

void Shard::add_sessions(std::vector<turn::Session>& list) const {
    for (const auto& tenant : tenants_) {
        for (auto& session : tenant->service().sessions(loop_.now())) {
            list.push_back(std::move(session));
        }
    }
}

void Shard::take_usage(std::vector<turn::Usage>& list) {
    for (const auto& tenant : tenants_) {
        for (auto& usage : tenant->take_usage()) list.push_back(std::move(usage));
    }
}

void Shard::drain(const std::optional<turn::Redirect>& redirect) {
    for (const auto& tenant : tenants_) tenant->service().drain(redirect);
}

}  // namespace stile::relay
